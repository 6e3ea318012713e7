"""Opens files of painting programs, each by the reader of its kind."""

from collections.abc import Callable

from etils import epath

from painting_jax.data import file_kinds, pickled_files
from painting_jax.data.artwork.frame_data import FrameData
from painting_jax.data.artwork.frame_pickles import FramePickles
from painting_jax.data.artwork.ora import open_ora
from painting_jax.data.artwork.procreate import Procreate
from painting_jax.data.artwork.states import States
from painting_jax.data.artwork.svg import open_svg
from painting_jax.errors import UserError


def _open_psd(path: epath.PathLike) -> States:
    # It takes a quarter of a second to import, and most recordings are no such files.
    from painting_jax.data.artwork.psd import open_psd  # noqa: PLC0415

    return open_psd(path)


_BY_SUFFIX: dict[str, Callable[[epath.PathLike], States]] = {
    ".ora": open_ora,
    ".procreate": Procreate,
    ".svg": open_svg,
    ".svgz": open_svg,
    ".psd": _open_psd,
    ".psb": _open_psd,
    ".h5": FrameData,
    ".hdf5": FrameData,
}
_BY_CONTENT = ((file_kinds.PHOTOSHOP, _open_psd), (file_kinds.HDF5, FrameData))


def opened(path: epath.PathLike) -> States:
    """The states of a canvas that a file of `file_kinds.Kind.ARTWORK` holds.

    Raises:
      UserError: If it is damaged or larger than its reader's bounds.
    """
    return reader(path)(epath.Path(path))


def reader(path: epath.PathLike) -> Callable[[epath.PathLike], States]:
    """What opens a file, by its content, otherwise by its name or suffix.

    Raises:
      UserError: If nothing does.
    """
    path = epath.Path(path)
    file_kinds.check_regular(path)
    start = file_kinds.head(path)
    for magic, by_content in _BY_CONTENT:
        if start.startswith(magic):
            return by_content
    if path.name == pickled_files.FRAMES:
        return FramePickles
    if (by_suffix := _BY_SUFFIX.get(path.suffix.lower())) is None:
        raise UserError(f"{path} is no file of a painting program that can be read")
    return by_suffix
