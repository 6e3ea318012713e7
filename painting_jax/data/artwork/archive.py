"""Members of zip archives, read in memory and within bounds: nothing is extracted to the disk."""

import contextlib
import os
import zipfile
from collections.abc import Iterator

from etils import epath

from painting_jax.data import file_kinds, pictures
from painting_jax.errors import UserError

MOST_BYTES = 512 * 10**6  # of all members together, unpacked
_MOST_MEMBERS = 500_000
# What compresses better than this, and is not small, is no picture.
_MOST_RATIO = 100
_SMALL = 16 * 2**20
# The other methods of the standard library unpack a block without a limit.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
DAMAGE = (*pictures.DAMAGE, zipfile.BadZipFile)


@contextlib.contextmanager
def opened(
    path: epath.PathLike, kind: str, most_bytes: int = MOST_BYTES
) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive and checks the sizes that it states; nothing is unpacked yet.

    Args:
      path: An archive, whatever its suffix.
      kind: What it should be, in messages ("OpenRaster picture").
      most_bytes: Bound on the stated sizes of all its members together, unpacked.

    Raises:
      UserError: If the file is missing, no archive, damaged or too large, or if the block raises
        what reading damaged members raises.
    """
    path = epath.Path(path)
    with (
        damage(path, kind, DAMAGE),
        regular(path).open("rb") as file,
        zipfile.ZipFile(file) as archive,
    ):
        archive.filename = os.fspath(path)
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise UserError(f"{path} has {len(members)} members: {_MOST_MEMBERS} are read")
        total = sum(member.file_size for member in members)
        if total > most_bytes:
            raise UserError(f"{path} unpacks to {total} bytes: {most_bytes} are read")
        yield archive


def regular(path: epath.PathLike) -> epath.Path:
    """The path of a file that exists, and that opening does not block on.

    Raises:
      UserError: If it is missing, a folder, a pipe or a device.
    """
    path = epath.Path(path)
    file_kinds.check_regular(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file")
    if not path.exists():
        raise UserError(f"{path} does not exist: name a file")
    return path


@contextlib.contextmanager
def damage(
    path: epath.PathLike, kind: str, raised: tuple[type[BaseException], ...]
) -> Iterator[None]:
    """Turns what decoders raise on damaged files into a `UserError` of one line."""
    try:
        yield
    except raised as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{os.fspath(path)} is damaged or no {kind}: {reason}") from None


def read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Unpacks one member of an archive in memory.

    The sizes in an archive are claims, so no more than `most` bytes are ever unpacked.

    Args:
      archive: From `opened`.
      name: Full name of the member in the archive, with forward slashes.
      most: Bytes that the member may have, unpacked.

    Returns:
      All bytes of the member.

    Raises:
      UserError: If there is no such member, its name leads out of the archive, it is encrypted,
        packed by another method than deflate, or larger than `most` or than its packed size
        explains. Damaged members raise one of `DAMAGE`, which `opened` turns into a `UserError`.
    """
    path = archive.filename
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise UserError(f"{path}: its member {name!r} lies outside the archive: save it again")
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise UserError(f"{path} is damaged: it has no member {name!r}") from None
    if member.flag_bits & _ENCRYPTED:
        raise UserError(f"{path}: its member {name!r} is encrypted: save it without a password")
    if member.compress_type not in _METHODS:
        raise UserError(f"{path}: its member {name!r} is packed by another method than deflate")
    if member.file_size > max(_SMALL, member.compress_size * _MOST_RATIO):
        raise UserError(
            f"{path}: its member {name!r} would unpack {member.compress_size} bytes to "
            f"{member.file_size}: no picture does"
        )
    if member.file_size <= most:
        with archive.open(member) as file:
            data = file.read(most + 1)
        if len(data) <= most:
            return data
    raise UserError(f"{path}: its member {name!r} has more than {most} bytes")
