"""Conversion to sRGB: of HDR and wide-gamut video, and of pictures with a colour profile.

HDR video (BT.2100, HLG and PQ) is converted by its own formulas, for a display of 1000 cd/m2. The
tone mapping is the plainest: HDR reference white, 203 cd/m2 (BT.2408), becomes the white of sRGB,
what is darker keeps its colour, and what is brighter is clipped. Paper is no highlight, so a
painting loses nothing but glints.

Colours outside the gamut of sRGB are clipped. Gamuts of standard-definition television nearly equal
that of sRGB and are left alone, as are the curves of BT.709 and its like, which players treat as
sRGB.
"""

import functools
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from painting_jax.data import remarks

# Code points of ITU-T H.273 (CICP), which videos, png and avif share.
RGB, BT709, UNSTATED, BT2020, DISPLAY_P3 = 0, 1, 2, 9, 12
LINEAR, PQ, HLG = 8, 16, 18
# Matrices that FFmpeg does not convert.
UNCONVERTED_MATRICES = {
    8: "YCgCo",
    11: "YDzDx",
    12: "a matrix derived from its primaries",
    13: "a matrix derived from its primaries",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo",
    17: "YCgCo",
}

# x and y of red, green, blue and white.
_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
_Chromaticities = tuple[tuple[float, float], ...]
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_WIDE: dict[int, _Chromaticities] = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
_ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
_ADOBE_GAMMA = 563 / 256

_UNCONVERTED = {
    9: "a logarithmic transfer curve",
    10: "a logarithmic transfer curve",
    17: "the transfer curve of SMPTE ST 428-1",
}

_REFERENCE_WHITE = 203.0  # cd/m2
_PEAK = 1000.0  # cd/m2, of the display that HLG is shown on
_HLG_GAMMA = 1.2  # of the system, on that display
_LEVELS = 65535


def unconverted(primaries: int, transfer: int) -> str | None:
    """What `to_srgb` leaves unconverted, in words; None if nothing."""
    return "the primaries of SMPTE ST 428-1" if primaries == 10 else _UNCONVERTED.get(transfer)


def is_srgb(primaries: int, transfer: int) -> bool:
    """Whether `to_srgb` changes nothing."""
    return primaries not in _WIDE and transfer not in (LINEAR, PQ, HLG)


def to_srgb(rgb_HWC: np.ndarray, primaries: int, transfer: int) -> np.ndarray:
    """Converts colours to sRGB.

    Args:
      rgb_HWC: uint8 or uint16 RGB of full range.
      primaries: Code point of H.273; those that are unknown count as those of sRGB.
      transfer: Code point of H.273; those that are unknown count as that of sRGB.

    Returns:
      uint8[H, W, 3].
    """
    if is_srgb(primaries, transfer):
        if rgb_HWC.dtype == np.uint8:
            return rgb_HWC
        return ((rgb_HWC.astype(np.uint32) + 128) // 257).astype(np.uint8)
    chromaticities = _WIDE.get(primaries, _SRGB)
    linear_HWC = _linear_levels(transfer, rgb_HWC.dtype)[rgb_HWC]
    if transfer == HLG:
        # The system's gamma acts on luminance, so that hues stay as they are.
        luminance_HW1 = linear_HWC @ _rgb_to_xyz(chromaticities)[1:2].T
        linear_HWC = linear_HWC * np.maximum(luminance_HW1, 1e-6) ** (_HLG_GAMMA - 1)
        linear_HWC *= _PEAK / _REFERENCE_WHITE
    return _encoded(linear_HWC, chromaticities)


def from_png(rgb_HWC: np.ndarray, info: Mapping[str, Any], name: str) -> np.ndarray:
    """Converts a png whose header states a gamma or primaries (gAMA, cHRM), as browsers do.

    Args:
      rgb_HWC: uint8 RGB.
      info: Pillow's, of the picture.
      name: Name of the picture in a remark.
    """
    gamma, stated = info.get("gamma"), info.get("chromaticity")
    if "srgb" in info or not (gamma or stated):
        return rgb_HWC
    chromaticities = _SRGB
    if stated:
        white, *primaries = zip(stated[::2], stated[1::2], strict=True)
        chromaticities = (*primaries, white)
    exponent = 1 / gamma if gamma else 2.2
    if not 0.5 < exponent < 5 or not _is_gamut(chromaticities):
        remarks.add(f"{name} states a gamma or primaries that cannot be: its colours are as stored")
        return rgb_HWC
    return _converted(rgb_HWC, chromaticities, exponent)


def from_adobe_rgb(rgb_HWC: np.ndarray) -> np.ndarray:
    """Converts uint8 Adobe RGB (1998), which cameras mark in the EXIF data alone."""
    return _converted(rgb_HWC, _ADOBE_RGB, _ADOBE_GAMMA)


def _converted(rgb_HWC: np.ndarray, chromaticities: _Chromaticities, exponent: float) -> np.ndarray:
    is_usual = abs(exponent - 2.2) < 0.1
    if is_usual and np.abs(np.subtract(chromaticities, _SRGB)).max() < 0.005:
        return rgb_HWC
    code_L = np.linspace(0, 1, 256)
    # An exponent of 2.2 stands for the curve of sRGB where a file says no more than that.
    is_srgb_curve = is_usual and exponent != _ADOBE_GAMMA
    linear_L = _srgb_to_linear(code_L) if is_srgb_curve else code_L**exponent
    return _encoded(linear_L.astype(np.float32)[rgb_HWC], chromaticities)


def _encoded(linear_HWC: np.ndarray, chromaticities: _Chromaticities) -> np.ndarray:
    """Linear light with these primaries, 1 = white, as uint8 sRGB."""
    linear_HWC = linear_HWC @ _to_linear_srgb(chromaticities).T
    return _codes()[np.rint(np.clip(linear_HWC, 0, 1) * _LEVELS).astype(np.uint16)]


@functools.cache
def _codes() -> np.ndarray:
    """uint8 sRGB of each level of linear light."""
    linear_L = np.linspace(0, 1, _LEVELS + 1)
    code_L = np.where(linear_L > 0.0031308, 1.055 * linear_L ** (1 / 2.4) - 0.055, linear_L * 12.92)
    return np.rint(255 * code_L).astype(np.uint8)


@functools.cache
def _linear_levels(transfer: int, dtype: np.dtype) -> np.ndarray:
    """float32 light of each code: of the scene for HLG, else of the display, 1 = white."""
    code_L = np.linspace(0, 1, np.iinfo(dtype).max + 1)
    if transfer == LINEAR:
        linear_L = code_L
    elif transfer == PQ:
        linear_L = _pq_to_nits(code_L) / _REFERENCE_WHITE
    elif transfer == HLG:
        linear_L = _hlg_to_scene(code_L)
    else:
        linear_L = _srgb_to_linear(code_L)
    return linear_L.astype(np.float32)


def _srgb_to_linear(code: np.ndarray) -> np.ndarray:
    return np.where(code > 0.04045, ((code + 0.055) / 1.055) ** 2.4, code / 12.92)


def _pq_to_nits(code: np.ndarray) -> np.ndarray:
    """The electro-optical transfer function of PQ (BT.2100, table 4)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = code ** (1 / m2)
    return 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def _hlg_to_scene(code: np.ndarray) -> np.ndarray:
    """The inverse opto-electronic transfer function of HLG (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def _xyz(xy: tuple[float, float]) -> np.ndarray:
    x, y = xy
    return np.array([x / y, 1, (1 - x - y) / y])


@functools.cache
def _rgb_to_xyz(chromaticities: _Chromaticities) -> np.ndarray:
    """Matrix [3, 3] from linear RGB to XYZ; its middle row is luminance."""
    *primaries, white = chromaticities
    columns = np.stack([_xyz(xy) for xy in primaries], 1)
    return (columns * np.linalg.solve(columns, _xyz(white))).astype(np.float32)


@functools.cache
def _to_linear_srgb(chromaticities: _Chromaticities) -> np.ndarray:
    """Matrix [3, 3] to the linear RGB of sRGB, with the white point adapted (Bradford)."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    cone = bradford @ _xyz(_D65) / (bradford @ _xyz(chromaticities[-1]))
    adapted = np.linalg.inv(bradford) @ np.diag(cone) @ bradford
    matrix = np.linalg.inv(_rgb_to_xyz(_SRGB)) @ adapted @ _rgb_to_xyz(chromaticities)
    return matrix.astype(np.float32)


def _is_gamut(chromaticities: _Chromaticities) -> bool:
    """Whether the primaries span an area and their mixture can be white."""
    if any(y < 0.01 for _, y in chromaticities):
        return False
    *primaries, white = chromaticities
    columns = np.stack([_xyz(xy) for xy in primaries], 1)
    if abs(np.linalg.det(columns)) < 1e-3:
        return False
    return bool(np.all(np.linalg.solve(columns, _xyz(white)) > 0))


def from_profile(image: Image.Image, profile: bytes, name: str) -> Image.Image:
    """Converts a picture with an ICC profile to sRGB, by littleCMS.

    The intent is relative colorimetric with black point compensation: paper becomes white.

    Args:
      image: RGB, L, CMYK or LAB.
      profile: ICC profile.
      name: Name of the picture in a remark.

    Returns:
      RGB. If the profile is damaged or of another kind than the picture, its colours are as stored.
    """
    try:
        transform = _transform(profile, image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        remarks.add(f"the colour profile of {name} cannot be used: its colours are as stored")
        return image
    return image if transform is None else ImageCms.applyTransform(image, transform)


def from_lab(image: Image.Image) -> Image.Image:
    """Converts a picture in CIE Lab, which Pillow does not convert itself, to sRGB."""
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")
    return ImageCms.applyTransform(image, transform)


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of a profile to sRGB; None if it changes nothing, as most profiles do."""
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        _srgb(),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode not in ("RGB", "L"):
        return transform
    channels = len(Image.new(mode, (1, 1)).getbands())
    steps = np.linspace(0, 255, 9 if channels == 3 else 256).round().astype(np.uint8)
    codes = np.stack(np.meshgrid(*[steps] * channels), -1).reshape(1, -1, channels)
    sample = Image.fromarray(codes if channels == 3 else codes[..., 0])
    changed = np.abs(np.asarray(ImageCms.applyTransform(sample, transform)).astype(int) - codes)
    return None if changed.max() <= 1 else transform


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
