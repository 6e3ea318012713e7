"""Perceptual hashes: which pictures look alike, whatever their format, size and small crops.

A hash has 64 bits, one for each of the lowest frequencies of the luminance (the first 8 x 8
coefficients of a discrete cosine transform of 32 x 32 pixels), set where the coefficient lies above
the median. Bits that noise would change, of coefficients near the median, do not count: symmetric
and simple pictures have many. Compression and scaling change few of the others. A crop changes
many, so each picture is hashed in several crops, and two pictures are alike if the hash of one is
near that of any crop of the other. Their colours on a coarse grid must agree, too, unless one is
grey: simple pictures of different colours may have the same hash. Mirrored pictures are alike,
since crops for training are mirrored at random.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from painting_jax.data import pictures

# Share of the bits in which the hashes of two pictures that look alike may differ. Of 64 bits, most
# photos differ in 26 to 38, and the nearest two of 18 in 18; crops of up to 5 % a side in 0 to 10.
_DIFFERING = 10 / 64
# Fewest bits to compare, and the distance of a coefficient from the median below which its bit does
# not count: noise of two levels a pixel.
_FEWEST, _NOISE = 12, 32
# Mean difference of the coarse colours, 0..255, up to which pictures may look alike.
_COLOURS = 16
# Mean range of the channels below which a picture is grey: it is compared without colours.
_GREY = 4
# Pictures of less contrast (standard deviation of the luminance, 0..255) are too plain to compare.
_CONTRAST = 2.0

_SIDE, _HASHED, _LOW, _COARSE = 128, 32, 8, 8
_LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601
# Shares cut off at the two ends of an axis.
_CUTS = ((0, 0), (0.025, 0.025), (0.05, 0.05), (0.05, 0), (0, 0.05))
# Hashes that are compared at once.
_AT_ONCE = 1 << 22


Hash = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Look:
    """What a picture looks like.

    Attributes:
      hashes: Hashes of the whole picture, first, and of its crops, each with a mask of the bits
        that count.
      mirrored: Hash of the mirrored picture, with its mask.
      colours: uint8[C, 8, 8, 3] RGB, the picture and its crops on a coarse grid, as bytes.
    """

    hashes: tuple[Hash, ...]
    mirrored: Hash
    colours: bytes


def look(picture_HWC: np.ndarray) -> Look | None:
    """The look of a picture, uint8[H, W, 3]; None if it is too plain to be told from others."""
    small = Image.fromarray(pictures.resize(picture_HWC, _SIDE, _SIDE))
    crops_NHWC = np.stack(
        [
            np.asarray(
                small.resize(
                    (_HASHED, _HASHED),
                    Image.Resampling.BILINEAR,
                    box=(_SIDE * left, _SIDE * top, _SIDE * (1 - right), _SIDE * (1 - bottom)),
                )
            )
            for (left, right), (top, bottom) in itertools.product(_CUTS, _CUTS)
        ]
    )
    luminance_NHW = crops_NHWC @ _LUMA
    if luminance_NHW[0].std() < _CONTRAST:
        return None
    *hashes, mirrored = _hashes(np.concatenate([luminance_NHW, luminance_NHW[:1, :, ::-1]]))
    block = _HASHED // _COARSE
    grid = crops_NHWC.reshape(len(crops_NHWC), _COARSE, block, _COARSE, block, 3).mean((2, 4))
    return Look(tuple(hashes), mirrored, grid.round().astype(np.uint8).tobytes())


def _hashes(luminance_NHW: np.ndarray) -> list[Hash]:
    frequency_K, place_N = np.arange(_LOW), np.arange(_HASHED)
    cosines_KN = np.cos(np.pi / _HASHED * np.outer(frequency_K, place_N + 0.5))
    low_NF = (cosines_KN @ luminance_NHW @ cosines_KN.T).reshape(len(luminance_NHW), -1)
    # The first coefficient is the mean luminance, far above all others.
    above_NF = low_NF - np.median(low_NF[:, 1:], axis=1, keepdims=True)
    return list(zip(_packed(above_NF > 0), _packed(np.abs(above_NF) > _NOISE), strict=True))


def _packed(bits_NF: np.ndarray) -> list[int]:
    return [int.from_bytes(row.tobytes(), "big") for row in np.packbits(bits_NF, axis=1)]


def alike(looks: Sequence[Look | None]) -> Iterator[tuple[int, int]]:
    """Yields the pairs (i, j), i < j, of pictures that look alike, some more than once.

    Args:
      looks: Results of `look`; None is like no other.
    """
    places = [place for place, one in enumerate(looks) if one is not None]
    there = [one for one in looks if one is not None]
    if len(there) < 2:
        return
    crops_NC, counted_NC = np.moveaxis(np.array([one.hashes for one in there], np.uint64), -1, 0)
    own_N22 = np.array([(one.hashes[0], one.mirrored) for one in there], np.uint64)
    block = max(1, _AT_ONCE // crops_NC.size)
    for start, mirrored in itertools.product(range(0, len(there), block), (False, True)):
        own_B11, counted_B11 = own_N22[start : start + block, int(mirrored)].T[..., None, None]
        both_BNC = counted_B11 & counted_NC
        count_BNC = np.bitwise_count(both_BNC)
        differing_BNC = np.bitwise_count((own_B11 ^ crops_NC) & both_BNC)
        near_BNC = (count_BNC >= _FEWEST) & (differing_BNC <= _DIFFERING * count_BNC)
        for b, j, crop in np.argwhere(near_BNC):
            i = start + b
            if i != j and _same_colours(there[i], there[j], crop, mirrored=mirrored):
                yield places[min(i, j)], places[max(i, j)]


def _same_colours(one: Look, other: Look, crop: int, *, mirrored: bool) -> bool:
    ours_HWC, theirs_HWC = _colours(one)[0], _colours(other)[crop]
    if mirrored:
        ours_HWC = ours_HWC[:, ::-1]
    difference_HWC = ours_HWC.astype(float) - theirs_HWC
    if _is_grey(ours_HWC) or _is_grey(theirs_HWC):
        difference_HWC = difference_HWC @ _LUMA
    return np.abs(difference_HWC).mean() <= _COLOURS


def _is_grey(grid_HWC: np.ndarray) -> bool:
    return np.ptp(grid_HWC, axis=-1).mean() < _GREY


def _colours(one: Look) -> np.ndarray:
    return np.frombuffer(one.colours, np.uint8).reshape(-1, _COARSE, _COARSE, 3)
