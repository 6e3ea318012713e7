"""What a file holds, by its first bytes: a picture, a video, or neither.

Suffixes are wrong often enough (a HEIC photo named .jpg, an mp4 named .gif), and lists of them are
never complete. They decide only where the first bytes say nothing, as in a damaged file.
"""

import enum
import os
import stat

from etils import epath

from painting_jax.data import pickled_files
from painting_jax.errors import UserError


class Kind(enum.Enum):
    """What a file holds.

    Attributes:
      PICTURE: One or several pictures that Pillow reads, or should read.
      VIDEO: A video that FFmpeg reads, or should read.
      ARTWORK: A file of a painting program, or of a collection, that holds a whole process; see
        `artwork.opening`.
      COMPANION: Text, metadata or sound, which go with pictures and videos.
      OTHER: None of these.
    """

    PICTURE = enum.auto()
    VIDEO = enum.auto()
    ARTWORK = enum.auto()
    COMPANION = enum.auto()
    OTHER = enum.auto()


# Not read, but photos. Pillow would take the thumbnail that they begin with for the picture.
RAW_PHOTOS = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")
PICTURES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".bmp"),
    *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf"),
    *RAW_PHOTOS,
)
_JPEG_STREAMS = (".mjpeg", ".mjpg")  # they begin as a picture does
_ARCHIVES = (
    ".ora",
    ".procreate",
    ".svg",
    ".svgz",
)  # their first bytes are those of any zip or text
VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".qt", ".webm", ".mkv", ".avi", ".divx", ".mpg", ".mpeg", ".m2v"),
    *(".vob", ".ts", ".mts", ".m2ts", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv"),
    *(".ogm", ".mxf", ".rm", ".rmvb", ".y4m", ".ivf", ".h264", ".h265", ".hevc", ".nut"),
    *_JPEG_STREAMS,
)
ARTWORKS = (".psd", ".psb", ".ora", ".procreate", ".svg", ".svgz", ".h5", ".hdf5")
_COMPANIONS = (
    *(".json", ".jsonl", ".ndjson", ".txt", ".md", ".rst", ".csv", ".tsv", ".log", ".html", ".htm"),
    *(".xml", ".xmp", ".aae", ".yaml", ".yml", ".toml", ".ini", ".db", ".url", ".py", ".ipynb"),
    *(".srt", ".vtt", ".ass", ".ssa", ".sub", ".mp3", ".m4a", ".wav", ".aac", ".flac", ".opus"),
    # Small copies of what a camera stores beside them.
    *(".thm", ".lrv"),
)

# A pickle is what its name says.
_PICKLES = {
    pickled_files.FRAMES: Kind.ARTWORK,
    pickled_files.PROGRESS: Kind.COMPANION,
    pickled_files.TAGS: Kind.COMPANION,
}

# The packets of a transport stream begin with this byte, one every 188 or (with times) 192 bytes.
_SYNC = 0x47
_HEAD = 3 * 192
_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # older mov files begin so
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
_PICTURE_STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
)
PHOTOSHOP, HDF5 = _ARTWORK_STARTS = (b"8BPS", b"\x89HDF\r\n\x1a\n")
_VIDEO_STARTS = (
    *(b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01", b"\x30\x26\xb2\x75"),
    *(b"OggS", b"\x06\x0e\x2b\x34", b".RMF", b"YUV4MPEG2", b"DKIF", b"nut/multimedia container\0"),
)


def kind(path: epath.PathLike) -> Kind:
    """What a file holds. A file that cannot be opened is what its suffix says."""
    path = epath.Path(path)
    suffix = path.suffix.lower()
    if path.name in _PICKLES:
        return _PICKLES[path.name]
    if suffix in _COMPANIONS:
        return Kind.COMPANION
    if suffix in (*RAW_PHOTOS, *_JPEG_STREAMS, *_ARCHIVES):
        return _by_suffix(suffix)
    return _by_content(head(path)) or _by_suffix(suffix)


def is_heif(path: epath.PathLike) -> bool:
    """Whether a file is a HEIC or HEIF picture, which takes a decoder of its own."""
    brands = _brands(head(path))
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def head(path: epath.PathLike) -> bytes:
    """The first bytes of a file; none if it cannot be read or is no regular file."""
    try:
        check_regular(path)
        with epath.Path(path).open("rb") as file:
            return file.read(_HEAD)
    except (OSError, UserError):
        return b""


def check_regular(path: epath.PathLike) -> None:
    """Refuses pipes, sockets and devices: to open a pipe waits for somebody to write to it.

    Raises:
      UserError: If there is something at a local path that is neither a file nor a folder.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # missing, or not on a local disk
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UserError(f"{os.fspath(path)} is a pipe, a socket or a device: name a file")


def _by_content(start: bytes) -> Kind | None:
    riff = start[8:12] if start.startswith(b"RIFF") else b""
    brands = _brands(start)
    if start.startswith(_ARTWORK_STARTS):
        return Kind.ARTWORK
    if (
        start.startswith(_PICTURE_STARTS)
        or riff == b"WEBP"
        or (start.startswith(b"BM") and start[6:10] == bytes(4))
        or brands & (_AVIF_BRANDS | _HEIF_BRANDS)
    ):
        return Kind.PICTURE
    if (
        start.startswith(_VIDEO_STARTS)
        or riff == b"AVI "
        or brands
        or start[4:8] in _BOXES
        or _is_transport_stream(start)
    ):
        return Kind.VIDEO
    return None


def _is_transport_stream(start: bytes) -> bool:
    # Two packets at least, or a text that begins with a G would be one.
    return any(
        len(start) >= 2 * size and all(byte == _SYNC for byte in start[first::size])
        for size, first in ((188, 0), (192, 4))
    )


def _brands(start: bytes) -> set[bytes]:
    """The brands of an ISO base media file: its own, then those that it is compatible with."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(start[:4], "big"), len(start))
    brands = [start[8:12], *(start[at : at + 4] for at in range(16, end - 3, 4))]
    # A video's major brand decides: some name those of pictures as well (a motion photo).
    pictures = _AVIF_BRANDS | _HEIF_BRANDS
    return {brands[0]} if brands[0] not in pictures else set(brands)


def _by_suffix(suffix: str) -> Kind:
    if suffix in PICTURES:
        return Kind.PICTURE
    if suffix in ARTWORKS:
        return Kind.ARTWORK
    return Kind.VIDEO if suffix in VIDEOS else Kind.OTHER
