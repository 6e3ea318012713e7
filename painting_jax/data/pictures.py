"""Decodes pictures to uint8 RGB and encodes them; sizes are checked before decoding."""

import contextlib
import dataclasses
import fnmatch
import io
import os
import pathlib
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from PIL import ExifTags, Image, PngImagePlugin

from painting_jax.data import colour, file_kinds, remarks
from painting_jax.data.file_kinds import Kind
from painting_jax.data.name_order import natural_order
from painting_jax.data.result_files import RECORD
from painting_jax.errors import UserError

MIN_SIDE = 8
MAX_MEGAPIXELS = 64
TYPES = "jpg, png, webp, avif, heic, bmp and tiff"  # in error messages

# Other formats of Pillow start programs (EPS) or are not used for photos.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000")
# What Pillow's decoders raise on truncated or damaged files.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, LookupError, EOFError, TypeError, AttributeError),
    *(ArithmeticError, AssertionError, RuntimeError, MemoryError, struct.error, zlib.error),
)
# Painting programs store their history in a png's text, beyond Pillow's limit for one text. Its
# limit for all texts together stays, against files that unfold to gigabytes.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What states the colours of a picture in Pillow's `info`, and the kinds of samples that a profile
# can be applied to.
_STATES_COLOURS = ("icc_profile", "gamma", "chromaticity", "adobe_rgb")
_PROFILED = ("RGB", "L", "CMYK", "LAB")
_END_OF_JPEG = b"\xff\xd9"
_BEFORE_PIXELS = 1 << 16  # bytes in which a file states its colours

_MAGIC = re.compile(r"[*?\[]")  # the first special character of a glob pattern
_SHAPE = struct.Struct(">HH")


def load(path: epath.PathLike) -> np.ndarray:
    """Reads a picture as a person sees it: upright, in sRGB, alpha over white, grey as RGB.

    Orientation is that of the EXIF data. Colours are converted from the picture's profile. 16-bit
    samples are scaled to 8 bits. An animation gives its first picture.

    Args:
      path: a jpg, png, webp, avif, heic, bmp, tiff or gif file, whatever its suffix.

    Returns:
      uint8[H, W, 3], RGB.

    Raises:
      UserError: if the file is missing, damaged or not a picture, has floating-point samples, a
        side below `MIN_SIDE` pixels or more than `MAX_MEGAPIXELS` by its header (then nothing is
        decoded).
    """
    with opened(path) as image:
        try:
            image.load()
        except DAMAGE:
            if (whole := _with_end_of_jpeg(image, epath.Path(path))) is None:
                raise
            image = whole
        return shown(image, os.fspath(path), cicp(image, epath.Path(path)))


def load_samples(path: epath.PathLike) -> np.ndarray:
    """The samples of a picture, without conversion of colours: uint8 or uint16 [H, W, 3].

    Upright and with alpha over white as in `load`, but 16-bit grey is not scaled to 8 bits.
    """
    with opened(path) as image:
        image.load()
        image = _upright(image, os.fspath(path))
        if image.mode.startswith("I"):
            grey_HW = _grey_16(image)
            return np.broadcast_to(grey_HW[..., None], (*grey_HW.shape, 3))
        return np.asarray(_over_white(image))


@contextlib.contextmanager
def opened(path: epath.PathLike, formats: Sequence[str] = _FORMATS) -> Iterator[Image.Image]:
    """Opens a picture with Pillow and checks its size; nothing is decoded yet.

    Raises:
      UserError: if the file is missing, not a picture, too large or too small, or if the block
        raises what Pillow raises for a damaged file.
    """
    path = epath.Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a picture (jpg, png, webp)")
    try:
        file_kinds.check_regular(path)
        file = path.open("rb")
    except FileNotFoundError:
        what = "is a link to a file that does" if os.path.islink(path) else "does"
        raise UserError(f"{path} {what} not exist: name a picture (jpg, png, webp)") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if path.suffix.lower() in file_kinds.RAW_PHOTOS:
        raise UserError(f"{path} is a raw photo, which is not developed here: save it as jpg")
    if (size := _webp_size(file_kinds.head(path))) is not None:
        # Pillow's decoder takes memory for the whole picture before it says how large it is.
        check_size(path, *size)
    if file_kinds.is_heif(path):
        _register_heif(path)
        formats = ("HEIF",)
    with file, warnings.catch_warnings():
        # Pillow warns at its own size limit, where ours is checked below, and of damaged EXIF data,
        # which is not needed.
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(file, formats=formats)
        except Image.DecompressionBombError:
            raise UserError(
                f"{path} has more than {MAX_MEGAPIXELS} megapixels: scale it down first"
            ) from None
        except DAMAGE:
            raise UserError(f"{path} is not a picture: {TYPES} are understood") from None
        check_size(path, *image.size)
        try:
            yield image
        except DAMAGE as error:
            raise UserError(f"{path} is damaged or cut short: {error}") from None


def check_size(path: epath.PathLike, width: int, height: int) -> None:
    """Refuses a picture, by the width and height that its header states, before it is decoded.

    Raises:
      UserError: if it has more than `MAX_MEGAPIXELS`, or a side below `MIN_SIDE`.
    """
    if width * height > MAX_MEGAPIXELS * 10**6:
        raise UserError(
            f"{path} has {width}x{height} pixels, more than {MAX_MEGAPIXELS} megapixels: "
            "scale it down first"
        )
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{path} has {width}x{height} pixels: each side needs at least {MIN_SIDE}")


def _webp_size(start: bytes) -> tuple[int, int] | None:
    """Width and height of a webp by its header."""
    if (start[:4], start[8:12]) != (b"RIFF", b"WEBP") or len(start) < 30:
        return None
    if start[12:16] == b"VP8X":
        width, height = (int.from_bytes(start[at : at + 3], "little") for at in (24, 27))
        return width + 1, height + 1
    if start[12:16] == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = (int.from_bytes(start[at : at + 2], "little") for at in (26, 28))
    return width & 0x3FFF, height & 0x3FFF


def _register_heif(path: epath.Path) -> None:
    try:
        import pillow_heif  # noqa: PLC0415  (an extra)
    except ImportError:
        raise UserError(
            f"{path} is a HEIC picture, not a picture that Pillow reads itself: "
            "pip install 'painting_jax[heif]', or save it as jpg"
        ) from None
    pillow_heif.register_heif_opener()


def _with_end_of_jpeg(image: Image.Image, path: epath.Path) -> Image.Image | None:
    """The picture of a jpg that lacks its end marker and nothing else, else None.

    A decoder fills up what is missing. With nothing missing, whatever stands before an end marker
    that is put behind the file is passed over.
    """
    if image.format not in ("JPEG", "MPO"):
        return None
    data = path.read_bytes().removesuffix(b"\xff")
    try:
        whole, filled = (
            Image.open(io.BytesIO(data + filling + _END_OF_JPEG), formats=("JPEG",))
            for filling in (b"", b"\x55" * 64)
        )
        return whole if np.array_equal(np.asarray(whole), np.asarray(filled)) else None
    except DAMAGE:
        return None


def cicp(image: Image.Image, path: epath.Path) -> tuple[int, int] | None:
    """Primaries and transfer (H.273) by which a png, avif or heic is to be shown; else None.

    Pillow does not read them. In a png they take precedence over a profile, in the others a profile
    does.
    """
    if image.format not in ("PNG", "AVIF", "HEIF"):
        return None
    if image.format != "PNG" and "icc_profile" in image.info:
        return None
    if image.format == "HEIF":
        profile = image.info.get("nclx_profile")
        if not profile:
            return None
        return int(profile["color_primaries"]), int(profile["transfer_characteristics"])
    with path.open("rb") as file:
        if image.format == "PNG":
            return _cicp_of_png(file)
        # The box lies in others, near the beginning. Its name is unlikely to occur elsewhere.
        _, found, stated = file.read(_BEFORE_PIXELS).partition(b"colrnclx")
    return struct.unpack_from(">HH", stated) if found and len(stated) >= 4 else None


def _cicp_of_png(file) -> tuple[int, int] | None:
    file.seek(8)
    while len(header := file.read(8)) == 8 and header[4:] != b"IDAT":
        length = int.from_bytes(header[:4], "big")
        if header[4:] == b"cICP" and length == 4:
            primaries, transfer, *_ = file.read(4)
            return primaries, transfer
        file.seek(length + 4, os.SEEK_CUR)
    return None


def shown(image: Image.Image, name: str, stated: tuple[int, int] | None = None) -> np.ndarray:
    """A loaded picture as a person sees it: uint8[H, W, 3], see `load`.

    Args:
      image: Picture, or an animation at the frame that is meant.
      name: Name of the picture in messages.
      stated: Primaries and transfer of `cicp`, which take precedence.
    """
    image = _upright(image, name)
    info = {**image.info, "adobe_rgb": _is_adobe_rgb(image)}
    if image.mode.startswith("I"):
        image = Image.fromarray(((_grey_16(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    elif image.mode == "LAB" and "icc_profile" not in info:
        image = colour.from_lab(image)
    if stated is None and not any(info.get(key) for key in _STATES_COLOURS):
        return np.array(_over_white(image))
    if not _has_alpha(image):
        image = image if image.mode in _PROFILED else image.convert("RGB")
        return np.array(_in_srgb(image, info, stated, name))
    # Colours are converted under the alpha channel, not mixed with paper first.
    image = image.convert("RGBA")
    rgb_HWC = _in_srgb(image.convert("RGB"), info, stated, name)
    converted = Image.fromarray(rgb_HWC).convert("RGBA")
    converted.putalpha(image.getchannel("A"))
    return np.array(_over_white(converted))


def _in_srgb(
    image: Image.Image, info: Mapping[str, Any], stated: tuple[int, int] | None, name: str
) -> np.ndarray:
    """The colours of an opaque picture, by what states them first."""
    if stated is not None:
        if what := colour.unconverted(*stated):
            remarks.add(f"{name} has {what}, which is not converted: its colours are as stored")
        return colour.to_srgb(np.asarray(image.convert("RGB")), *stated)
    if info.get("icc_profile"):
        converted = colour.from_profile(image, info["icc_profile"], name)
        return np.asarray(converted.convert("RGB"))
    rgb_HWC = np.asarray(image.convert("RGB"))
    if info["adobe_rgb"]:
        return colour.from_adobe_rgb(rgb_HWC)
    return colour.from_png(rgb_HWC, info, name)


def _upright(image: Image.Image, name: str) -> Image.Image:
    if image.mode == "F":
        # Their range is unknown, and so is the meaning of a NaN.
        raise UserError(f"{name} has samples in floating point: save it with 8 or 16 bits each")
    turn = _TURNS.get(_exif_tag(image, ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def _exif_tag(image: Image.Image, tag: int, folder: int | None = None) -> Any:
    """The value of an EXIF tag; None if it is missing or cannot be read.

    Cameras and programs write much that breaks the standard. None of it is needed to see the
    picture, so damage here is no damage to the picture.
    """
    try:
        tags = image.getexif()
        value = (tags if folder is None else tags.get_ifd(folder)).get(tag)
    except DAMAGE:
        return None
    return value[0] if isinstance(value, tuple) and value else value


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether the EXIF data alone says that a picture is in Adobe RGB, as cameras do."""
    if image.mode != "RGB":
        return False
    index = _exif_tag(image, ExifTags.Interop.InteropIndex, ExifTags.IFD.Interop)
    space = _exif_tag(image, ExifTags.Base.ColorSpace, ExifTags.IFD.Exif)
    return str(index).rstrip("\0") == "R03" or space == 2


def _grey_16(image: Image.Image) -> np.ndarray:
    # Pillow clips 16-bit grey to 255 when it converts.
    return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info


def _over_white(image: Image.Image) -> Image.Image:
    if _has_alpha(image):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def list_pictures(path: epath.PathLike, output: epath.PathLike | None = None) -> list[str]:
    """Lists the files that a path, a folder or a glob pattern names, in natural order.

    Folders are searched with their subfolders. Hidden files, text and other files that go with
    pictures, links back to a folder above, results of `generate` and the content of `output` are
    left out. What else lies in a folder is listed, also if `load` cannot read it, so that the
    caller can name it. A file that is named itself is returned, whatever it is.

    Raises:
      UserError: if there is none.
    """
    text = os.path.expanduser(os.fspath(path))
    root = epath.Path(text)
    if root.is_dir():
        files = _matching(root, ("**", "*"), Ancestors.of(root, output))
        found = [os.fspath(file) for file in files if file_kinds.kind(file) is not Kind.COMPANION]
    elif os.path.lexists(text) or root.exists():
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
        # The default level takes four times as long for a tenth fewer bytes.
        Image.fromarray(picture_HWC).save(buffer, "PNG", pnginfo=info, compress_level=3)
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


def stored_size(data: bytes) -> tuple[int, int]:
    """Height and width of a stored picture, from its header. Errors as in `decode`."""
    try:
        width, height = Image.open(io.BytesIO(data), formats=_FORMATS).size
    except DAMAGE as error:
        raise UserError(f"a stored picture is damaged: {error}") from None
    return height, width


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


def shrunk(picture_HWC: np.ndarray, longer: int) -> np.ndarray:
    """Resizes uint8[H, W, 3] so that its longer side has so many pixels at most."""
    scale = min(1.0, longer / max(picture_HWC.shape[:2]))
    return resize(picture_HWC, *(max(MIN_SIDE, round(scale * n)) for n in picture_HWC.shape[:2]))


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
