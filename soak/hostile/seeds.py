"""Small valid files, one or a few for each reader, written by the code that tests write them with.

Two of each kind, so that parts of one can be put into the other.
"""

import dataclasses
import functools
import gzip
import json
import pathlib
import re
import tempfile
import types
from collections.abc import Callable, Mapping

import numpy as np
import pillow_heif
from PIL import ExifTags, Image
from psd_tools import PSDImage

from soak.hostile import zips
from tests.data import movies
from tests.data.artwork import layered, test_frame_data, test_ora, test_procreate, test_psd

# Random identities would make another file each time.
_BITEXACT = {"fflags": "bitexact"}
_CODEC = {"threads": "1"}
# Its other decisions depend on how the process rounds, which some libraries change.
_X264 = {"qp": "24", "aq-mode": "0", "mbtree": "0", "psy": "0"}
# Of an avif: when it was made and changed.
_TIMES = re.compile(rb"((?:mvhd|tkhd|mdhd)\x01...).{16}", re.DOTALL)
_COUNT, _HEIGHT, _WIDTH = 6, 48, 64


@dataclasses.dataclass(frozen=True)
class Seed:
    """A valid source of processes.

    Attributes:
      files: Content of its files by name.
      changed: Names of those that the reader is there for.
      source: Name of the file that is given to `find`; "" for the folder.
      grid: As in `find`.
    """

    files: Mapping[str, bytes]
    changed: tuple[str, ...]
    source: str = ""
    grid: str = ""


@dataclasses.dataclass(frozen=True)
class Reader:
    """How the seeds of a reader are written.

    Attributes:
      write: Writes a seed to a folder; its second argument is 0 or 1.
      changed: Pattern of the files that it is there for.
      source: As in `Seed`.
      grid: As in `Seed`.
    """

    write: Callable[[pathlib.Path, int], None]
    changed: str = "*"
    source: str = ""
    grid: str = ""


@functools.cache
def seed(reader: str, variant: int) -> Seed:
    """The first (0) or second (1) valid source of a reader, one of `READERS`."""
    how = READERS[reader]
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        how.write(root, variant)
        paths = sorted(path for path in root.rglob("*") if path.is_file())
        files = {path.relative_to(root).as_posix(): _timeless(path.read_bytes()) for path in paths}
        changed = tuple(name for name in files if pathlib.PurePath(name).match(how.changed))
    return Seed(types.MappingProxyType(files), changed, how.source, how.grid)


def _timeless(data: bytes) -> bytes:
    """A file without the time at which it was written, which some archives and pictures state."""
    if zips.is_archive(data):
        return zips.packed(zips.unpacked(data))
    return _TIMES.sub(lambda found: found[1] + bytes(16), data)


def _frames(variant: int) -> np.ndarray:
    frames_THWC = movies.filling(_COUNT, _HEIGHT, _WIDTH)
    return np.roll(frames_THWC, 8, 1)[..., ::-1] if variant else frames_THWC


def _images(variant: int) -> list[Image.Image]:
    return [Image.fromarray(np.ascontiguousarray(frame)) for frame in _frames(variant)]


def _video(name: str, codec: str = "libx264", pix_fmt: str = "yuv420p", **options):
    muxer = _BITEXACT | options

    def write(folder: pathlib.Path, variant: int) -> None:
        movies.write(
            folder / name,
            _frames(variant),
            codec,
            pix_fmt=pix_fmt,
            options=_CODEC | (_X264 if codec == "libx264" else {}),
            muxer=muxer,
        )

    return write


def _animation(name: str, **options):
    def write(folder: pathlib.Path, variant: int) -> None:
        first, *others = _images(variant)
        first.save(folder / name, save_all=True, append_images=others, duration=100, **options)

    return write


def _pictures(suffix: str, **options):
    def write(folder: pathlib.Path, variant: int) -> None:
        for number, image in enumerate(_images(variant)[::2], start=1):
            image.save(folder / f"{number}.{suffix}", **options)

    return write


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def _heic(folder: pathlib.Path, variant: int) -> None:
    for number, image in enumerate(_images(variant)[::3], start=1):
        pillow_heif.from_pillow(image).save(folder / f"{number}.heic", quality=50)


def _layers_of_photoshop(suffix: str):
    def write(folder: pathlib.Path, variant: int) -> None:
        document = test_psd.picture(test_psd.document("CMYK" if variant else "RGB"))
        if suffix == "psb":
            document._record.header.version = 2
        test_psd.saved_as_it_is(document, folder / f"layers.{suffix}")
        flat = PSDImage.frompil(layered.patch(variant, test_psd.SIZE).convert("RGB"))
        test_psd.saved_as_it_is(flat, folder / f"flat.{suffix}")

    return write


def _ora(folder: pathlib.Path, variant: int) -> None:
    if not variant:
        test_ora.picture(folder / "layers.ora")
    else:
        members = {"a": layered.patch(1), "b": layered.patch(2)}
        stack = f"<stack>{test_ora.layer('b', x=3, opacity=0.5)}</stack>{test_ora.layer('a')}"
        test_ora.write(folder / "layers.ora", stack, members)


def _procreate(folder: pathlib.Path, variant: int) -> None:
    segments = {}
    with tempfile.TemporaryDirectory() as other:
        for number in (1, 2, 3):
            name = f"segment-{number}.mp4"
            _video(name)(pathlib.Path(other), (number + variant) % 2)
            segments[f"video/segments/{name}"] = (pathlib.Path(other) / name).read_bytes()
    test_procreate.archive(folder / "lapse.procreate", segments)


_SVGS = (
    '<defs><linearGradient id="g"><stop offset="0" stop-color="red"/></linearGradient>'
    '<clipPath id="c"><circle cx="20" cy="20" r="18"/></clipPath></defs>'
    '<g opacity="0.8" transform="rotate(10)"><path d="M2 2 L30 9 C40 5 22 30 9 9Z" '
    'fill="url(#g)"/><rect x="3" y="9" width="20" height="9" clip-path="url(#c)"/></g>'
    '<text x="5" y="40" font-size="9">a</text>',
    '<style>.h{display:none}</style><symbol id="s"><ellipse cx="9" cy="9" rx="4" ry="8"/></symbol>'
    '<filter id="f"><feGaussianBlur stdDeviation="2"/></filter><use href="#s" x="9"/>'
    '<g filter="url(#f)"><line x1="0" y1="0" x2="40" y2="30" stroke="blue"/></g>'
    '<polygon points="1,1 9,30 30,9"/><polyline class="h" points="0,0 9,9"/>',
)


def _svg(name: str):
    def write(folder: pathlib.Path, variant: int) -> None:
        head = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48">'
        data = f"{head}{_SVGS[variant]}</svg>".encode()
        (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith("z") else data)

    return write


def _frame_data(folder: pathlib.Path, variant: int) -> None:
    prompts = ("a photo", "pencil")[: 1 + variant]
    test_frame_data.write(folder / "train" / "a" / "b" / "frame_data.h5", prompts=prompts)


def _grid(folder: pathlib.Path, variant: int) -> None:
    rows = [np.concatenate(_frames(variant)[pair], axis=1) for pair in ([0, 2], [5, 3])]
    Image.fromarray(np.concatenate(rows)).save(folder / "steps.png")


def _record(folder: pathlib.Path, variant: int) -> None:
    (folder / "hat" / "steps").mkdir(parents=True)
    _pictures("png")(folder / "hat" / "steps", variant)
    record = {"medium": {"oil": 1.0}, "image": "hat.jpg", "caption": "a hat", "seed": 3}
    (folder / "hat" / "process.json").write_text(json.dumps(record))


_ROW = {
    "medium": "ink",
    "caption": "two cats",
    "licence": "CC0",
    "crop": [2, 0, 60, 48],
    "start": 0,
    "end": 9,
    "picture": "cats",
    "split": "train",
}


def _sidecar(folder: pathlib.Path, variant: int) -> None:
    _animation("cat.webp", quality=50)(folder, variant)
    stated = {"medium": "oil", "progress": [0, 0.1, 0.3, 0.5, 0.8, 1]} if variant else _ROW
    (folder / "cat.json").write_text(json.dumps(stated))


def _manifest(name: str):
    def write(folder: pathlib.Path, variant: int) -> None:
        _animation("cat.webp", quality=50)(folder, variant)
        (folder / "cup").mkdir()
        _pictures("png")(folder / "cup", variant)
        rows = [
            {"path": "cat.webp", **_ROW},
            {"path": "cup", "medium": "oil", "start": 0, "end": 2},
            {"path": "cup/*.png", "medium": "loomis portrait" if variant else "oil"},
        ]
        lines = "\n".join(map(json.dumps, rows))
        (folder / name).write_text(lines if name.endswith("l") else json.dumps(rows))

    return write


READERS: Mapping[str, Reader] = types.MappingProxyType(
    {
        "mp4": Reader(_video("cat.mp4")),
        "fragmented mp4": Reader(_video("cat.mp4", movflags="frag_keyframe+empty_moov")),
        "mov": Reader(_video("cat.mov", "mpeg4")),
        "webm": Reader(_video("cat.webm", "libvpx-vp9")),
        "mkv": Reader(_video("cat.mkv", "ffv1")),
        "avi": Reader(_video("cat.avi", "mjpeg", "yuvj420p")),
        "ts": Reader(_video("cat.ts", "mpeg2video")),
        "gif": Reader(_animation("cat.gif")),
        "animated webp": Reader(_animation("cat.webp", quality=50)),
        "animated png": Reader(_animation("cat.png")),
        "animated avif": Reader(_animation("cat.avif", quality=50, max_threads=1)),
        "tiff of pages": Reader(_animation("cat.tiff", compression="tiff_lzw")),
        "jpg": Reader(_pictures("jpg", exif=_turned())),
        "png": Reader(_pictures("png")),
        "webp": Reader(_pictures("webp")),
        "bmp": Reader(_pictures("bmp")),
        "tiff": Reader(_pictures("tiff", compression="tiff_adobe_deflate")),
        "avif": Reader(_pictures("avif", quality=50, max_threads=1)),
        "jp2": Reader(_pictures("jp2")),
        "heic": Reader(_heic),
        "procreate": Reader(_procreate),
        "ora": Reader(_ora),
        "psd": Reader(_layers_of_photoshop("psd")),
        "psb": Reader(_layers_of_photoshop("psb")),
        "svg": Reader(_svg("shapes.svg")),
        "svgz": Reader(_svg("shapes.svgz")),
        "frame_data.h5": Reader(_frame_data),
        "step grid": Reader(_grid, grid="2x2"),
        "process.json": Reader(_record, changed="process.json"),
        "sidecar": Reader(_sidecar, changed="*.json"),
        "manifest": Reader(_manifest("all.jsonl"), changed="*.jsonl", source="all.jsonl"),
        "list": Reader(_manifest("all.json"), changed="*.json", source="all.json"),
    }
)
