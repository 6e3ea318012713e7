"""Decodes pictures to uint8 RGB and encodes them; sizes are checked before decoding."""

import dataclasses
import fnmatch
import io
import os
import pathlib
import re
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from etils import epath
from PIL import Image, ImageOps, PngImagePlugin

from painting_jax.data.result_files import RECORD
from painting_jax.errors import UserError

MIN_SIDE = 8
MAX_MEGAPIXELS = 64
# Suffixes of picture files. `load` decides by the content whether it can read one.
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif", ".jxl"),
)
TYPES = "jpg, png, webp, gif, bmp and tiff"  # in error messages

# Other formats of Pillow start programs (EPS) or are not used for photos.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
# What Pillow's decoders raise on truncated or damaged files.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)

_MAGIC = re.compile(r"[*?\[]")  # the first special character of a glob pattern
_SHAPE = struct.Struct(">HH")


def load(path: epath.PathLike) -> np.ndarray:
    """Reads a picture as a person sees it: upright (EXIF), alpha over white, grey as RGB.

    16-bit samples are scaled to 8 bits. An animation gives its first picture.

    Args:
      path: a jpg, png, webp, bmp, tiff or gif file.

    Returns:
      uint8[H, W, 3], RGB.

    Raises:
      UserError: if the file is missing, damaged or not a picture, has floating-point samples, a
        side below `MIN_SIDE` pixels or more than `MAX_MEGAPIXELS` by its header (then nothing is
        decoded).
    """
    samples_HWC = load_samples(path)
    if samples_HWC.dtype == np.uint16:
        return ((samples_HWC.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return samples_HWC


def load_samples(path: epath.PathLike) -> np.ndarray:
    """As `load`, but 16-bit grey is not scaled: uint8[H, W, 3] or uint16[H, W, 3]."""
    path = epath.Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist: name a picture (jpg, png, webp)")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a picture (jpg, png, webp)")
    with path.open("rb") as file, warnings.catch_warnings():
        # Pillow warns at its own size limit; ours is checked below.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(file, formats=_FORMATS)
        except Image.DecompressionBombError:
            raise UserError(
                f"{path} has more than {MAX_MEGAPIXELS} megapixels: scale it down first"
            ) from None
        except DAMAGE:
            raise UserError(f"{path} is not a picture: {TYPES} are understood") from None
        _check_size(path, *image.size)
        try:
            return _upright_rgb(image, str(path))
        except DAMAGE as error:
            raise UserError(f"{path} is damaged or cut short: {error}") from None


def _check_size(path: epath.Path, width: int, height: int) -> None:
    if width * height > MAX_MEGAPIXELS * 10**6:
        raise UserError(
            f"{path} has {width}x{height} pixels, more than {MAX_MEGAPIXELS} megapixels: "
            "scale it down first"
        )
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{path} has {width}x{height} pixels: each side needs at least {MIN_SIDE}")


def _upright_rgb(image: Image.Image, name: str) -> np.ndarray:
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        # Their range is unknown, and so is the meaning of a NaN.
        raise UserError(f"{name} has samples in floating point: save it with 8 or 16 bits each")
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey to 255 when it converts.
        grey_HW = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        return np.repeat(grey_HW[..., None], 3, axis=-1)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def list_pictures(path: epath.PathLike, output: epath.PathLike | None = None) -> list[str]:
    """Lists the picture files that a path, a folder or a glob pattern names, in natural order.

    Folders are searched with their subfolders. Hidden files, links back to a folder above, results
    of `generate` and the content of `output` are left out. A file that is named itself is returned
    whatever its suffix.

    Raises:
      UserError: if there is none.
    """
    text = os.fspath(path)
    root = epath.Path(path)
    if root.is_dir():
        files = _matching(root, ("**", "*"), Ancestors.of(root, output))
        found = [os.fspath(file) for file in files if file.suffix.lower() in SUFFIXES]
    elif root.exists():
        return [text]
    else:
        magic = _MAGIC.search(text)
        if magic is None:
            raise UserError(f"{path} does not exist: name a picture, a folder or a pattern")
        root = epath.Path(os.path.dirname(text[: magic.start()]))
        pattern = epath.Path(text).relative_to(root).parts
        found = {os.fspath(file) for file in _matching(root, pattern, Ancestors.of(root, output))}
    if not found:
        raise UserError(f"{path} holds no picture: {TYPES} are understood")
    return sorted(found, key=natural_order)


@dataclasses.dataclass(frozen=True)
class Ancestors:
    """The real paths of a folder, of those above it, and of others that a search leaves out.

    A link can lead a search back to a folder above it; the file system ends that only after 40
    rounds.
    """

    paths: frozenset[str]

    @classmethod
    def of(cls, folder: epath.PathLike, *left_out: epath.PathLike | None) -> "Ancestors":
        """Those of the folder in which a search begins."""
        path = pathlib.Path(os.path.realpath(folder))
        others = [os.path.realpath(other) for other in left_out if other]
        return cls(frozenset([*map(str, (path, *path.parents)), *others]))

    def enter(self, folder: epath.PathLike) -> "Ancestors | None":
        """Those of a subfolder; None if the search must not enter it."""
        path = os.path.realpath(folder)
        return None if path in self.paths else Ancestors(self.paths | {path})


def _matching(
    folder: epath.Path, pattern: tuple[str, ...], ancestors: Ancestors
) -> Iterator[epath.Path]:
    """The files below a folder that match a pattern as in `glob`, hidden ones left out.

    `glob` itself would follow links in circles.
    """
    part, *rest = pattern
    anywhere = part == "**"
    if anywhere:
        yield from _matching(folder, tuple(rest) or ("*",), ancestors)
    for path in folder.iterdir() if folder.is_dir() else ():
        hidden = path.name.startswith(".") and not part.startswith(".")
        if hidden or not fnmatch.fnmatchcase(path.name, part):
            continue
        if not path.is_dir():
            if not rest and not anywhere:
                yield path
        elif (rest or anywhere) and (below := _enter(path, ancestors)) is not None:
            yield from _matching(path, pattern if anywhere else tuple(rest), below)


def _enter(folder: epath.Path, ancestors: Ancestors) -> Ancestors | None:
    """As `Ancestors.enter`, but also None for a folder that `generate` wrote."""
    return None if (folder / RECORD).exists() else ancestors.enter(folder)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts "9.jpg" before "10.jpg"."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]


def encode(picture_HWC: np.ndarray, format: str = "jpeg", xmp: bytes | None = None) -> bytes:
    """Encodes uint8[H, W, 3] as "png" (exact) or "jpeg" (quality 95, no chroma subsampling).

    A PNG can carry an XMP packet (`video.provenance`).

    Measured on photos at 64x64, such a JPEG takes a third of the bytes of a PNG, half the time to
    decode and a tenth of the time to encode.
    """
    buffer = io.BytesIO()
    if format == "png":
        info = PngImagePlugin.PngInfo()
        if xmp:
            info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        Image.fromarray(picture_HWC).save(buffer, "PNG", pnginfo=info)
    elif format == "jpeg":
        Image.fromarray(picture_HWC).save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        raise ValueError(f"unknown format {format!r}: png or jpeg")
    return buffer.getvalue()


def decode(data: bytes) -> np.ndarray:
    """Decodes a stored picture to uint8[H, W, 3].

    Raises:
      UserError: if the bytes are damaged or not a picture.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        # `convert` copies even a picture that is RGB already.
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except DAMAGE as error:
        raise UserError(f"a stored picture is damaged: {error}") from None


def encode_labels(labels_HW: np.ndarray) -> bytes:
    """Encodes a uint8[H, W] label map: H and W in two bytes each, then the zlib-compressed labels.

    A PNG takes sixteen times as long to decode (0.18 ms at 64x64), as long as a frame.
    """
    return _SHAPE.pack(*labels_HW.shape) + zlib.compress(labels_HW.tobytes())


def decode_labels(data: bytes) -> np.ndarray:
    """Reverses `encode_labels`.

    Raises:
      UserError: if the bytes are damaged.
    """
    try:
        labels = np.frombuffer(zlib.decompress(data[_SHAPE.size :]), np.uint8)
        return labels.reshape(_SHAPE.unpack_from(data))
    except DAMAGE as error:
        raise UserError(f"a stored label map is damaged: {error}") from None


def resize(picture_HWC: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes uint8[H, W, 3] to uint8[height, width, 3], antialiased (bicubic)."""
    if picture_HWC.shape[:2] == (height, width):
        return picture_HWC
    image = Image.fromarray(picture_HWC)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def fit(picture_HWC: np.ndarray, height: int, width: int) -> np.ndarray:
    """Crops uint8[H, W, 3] around its centre to the aspect height:width, then resizes it."""
    if picture_HWC.shape[:2] == (height, width):
        return picture_HWC
    top, left, bottom, right = centre_box(picture_HWC.shape[:2], height, width)
    return resize(picture_HWC[top:bottom, left:right], height, width)


def fit_labels(labels_HW: np.ndarray, height: int, width: int) -> np.ndarray:
    """As `fit`, for a label map, by nearest neighbour: uint8[height, width]."""
    if labels_HW.shape == (height, width):
        return labels_HW
    top, left, bottom, right = centre_box(labels_HW.shape, height, width)
    image = Image.fromarray(np.ascontiguousarray(labels_HW[top:bottom, left:right]))
    return np.asarray(image.resize((width, height), Image.Resampling.NEAREST))


def centre_box(shape_HW: tuple[int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """The largest centred box (top, left, bottom, right) of aspect `height`:`width`."""
    full_height, full_width = shape_HW
    scale = min(full_height / height, full_width / width)
    box_height = max(1, min(full_height, round(height * scale)))
    box_width = max(1, min(full_width, round(width * scale)))
    top, left = (full_height - box_height) // 2, (full_width - box_width) // 2
    return top, left, top + box_height, left + box_width
