"""What lies behind the regions of a picture: those further back continue under nearer ones."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from painting_jax.data.keeping import kept
from painting_jax.data.region_borders import resized, sampled

_SIDE = 48  # longer side at which continuations are computed, in pixels
_MARGIN = 0.05  # how far any region continues under a nearer one, as a share of the sides
_FURTHEST = 0.25  # the same between two sides
_CORNER = 0.15  # the same where it is seen above and on one side
_EDGE = 0.3  # how far a region continues sideways to the picture's edge, as a share of the width
_FAR = 1e4  # distance of what does not continue, in pixels


class Behind(NamedTuple):
    """What lies behind each pixel.

    Attributes:
      picture_HWC: uint8 colour with which the region behind continues there; the picture's own
        colour where there is none.
      labels_HW: uint8 label of the region behind, smaller than the pixel's own; 0 = none, the pixel
        is painted on the ground.
    """

    picture_HWC: np.ndarray
    labels_HW: np.ndarray


@kept
def behind(picture_HWC: np.ndarray, labels_HW: np.ndarray) -> Behind:
    """Continues regions under those that lie in front of them.

    A region continues where it is seen on both sides, to the left and right or above and below; to
    the near edge of the picture, where a nearer region hides it until there; a little under every
    border, and more so at corners; but never far. Of several regions the nearest one does. Its
    colours are continued smoothly, as broad masses, by a pyramid of averages (push-pull, Gortler et
    al. 1996).

    Args:
      picture_HWC: uint8 RGB.
      labels_HW: uint8 labels 1..K in painting order, from back to front; 0 = unlabelled.

    Returns:
      Arrays that are shared and must not be changed.
    """
    height, width = labels_HW.shape
    zoom = min(1.0, _SIDE / max(height, width))
    shape = (max(1, round(height * zoom)), max(1, round(width * zoom)))
    small_YX = sampled(labels_HW, shape)
    back_L = np.unique(small_YX[small_YX > 0])[:-1]
    if not len(back_L):
        return Behind(picture_HWC.copy(), np.zeros_like(labels_HW))
    away_LYX = _distances(small_YX, back_L)
    away_HWL = resized(np.moveaxis(away_LYX, 0, -1), labels_HW.shape)
    nearest_HW = np.full(labels_HW.shape, _FAR / 2, np.float32)
    behind_HW = np.zeros(labels_HW.shape, np.uint8)
    for label, away_HW in zip(back_L, np.moveaxis(away_HWL, -1, 0), strict=True):
        here_HW = (labels_HW > label) & (away_HW < nearest_HW)
        behind_HW[here_HW] = label
        nearest_HW[here_HW] = away_HW[here_HW]
    colours_YXC = resized(picture_HWC, shape)
    core_YXL = _core(small_YX[..., None] == back_L)
    paint_YXLC = _continued(np.repeat(colours_YXC[:, :, None], len(back_L), 2), core_YXL)
    result_HWC = picture_HWC.copy()
    for index, label in enumerate(back_L):
        here = np.flatnonzero(behind_HW == label)
        if len(here):
            paint_PC = resized(paint_YXLC[:, :, index], labels_HW.shape).reshape(-1, 3)[here]
            result_HWC.reshape(-1, 3)[here] = np.clip(paint_PC + 0.5, 0, 255).astype(np.uint8)
    return Behind(result_HWC, behind_HW)


def arrays(picture_HWC: np.ndarray, labels_HW: np.ndarray) -> dict[str, np.ndarray]:
    """What lies behind a picture's regions, as arrays of one row of a batch."""
    continued = behind(picture_HWC, labels_HW)
    return {"behind_BHWC": continued.picture_HWC, "behind_segments_BHW": continued.labels_HW}


def _distances(labels_YX: np.ndarray, back_L: np.ndarray) -> np.ndarray:
    """Distance in pixels to each region where it continues, `_FAR` elsewhere: float32[L, Y, X]."""
    inside_LYX = labels_YX == back_L[:, None, None]
    away_LYX = np.stack([ndimage.distance_transform_edt(~inside_YX) for inside_YX in inside_LYX])
    above_LYX, below_LYX = _seen(inside_LYX, 1, 0.0)
    left_LYX, right_LYX = _seen(inside_LYX, 2, _EDGE)
    reach = max(labels_YX.shape)
    continues_LYX = (
        (away_LYX <= _FURTHEST * reach) & ((above_LYX & below_LYX) | (left_LYX & right_LYX))
        | (away_LYX <= _CORNER * reach) & above_LYX & (left_LYX | right_LYX)
        | (away_LYX <= max(1, _MARGIN * reach))
    )
    continues_LYX &= labels_YX >= back_L[:, None, None]
    return np.where(continues_LYX, away_LYX, _FAR).astype(np.float32)


def _seen(inside_LYX: np.ndarray, axis: int, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether a region is seen on the one side and on the other along an axis.

    Where it is seen on one side, the edge of the picture counts as the other, if the region is
    not further from it than a share `edge` of the length.
    """
    length = inside_LYX.shape[axis]
    places = np.arange(length).reshape([-1 if i == axis else 1 for i in range(3)])
    last_LYX = np.maximum.accumulate(np.where(inside_LYX, places, -length), axis)
    next_LYX = np.where(inside_LYX, places, 2 * length)
    next_LYX = np.flip(np.minimum.accumulate(np.flip(next_LYX, axis), axis), axis)
    before_LYX, after_LYX = last_LYX >= 0, next_LYX < length
    return (
        before_LYX | after_LYX & (next_LYX <= edge * length),
        after_LYX | before_LYX & (length - 1 - last_LYX <= edge * length),
    )


def _core(inside_YXL: np.ndarray) -> np.ndarray:
    """Weights of regions' colours: those on a border are mixed with the neighbours'."""
    inner_YXL = np.pad(inside_YXL, ((1, 1), (1, 1), (0, 0)), "edge")
    inner_YXL = inner_YXL[:-2] & inner_YXL[1:-1] & inner_YXL[2:]
    inner_YXL = inner_YXL[:, :-2] & inner_YXL[:, 1:-1] & inner_YXL[:, 2:]
    return np.where(inner_YXL, np.float32(1), np.float32(1e-3) * inside_YXL)


def _continued(values_YXLC: np.ndarray, weight_YXL: np.ndarray) -> np.ndarray:
    """Fills values of weight 0 smoothly with those around them, float32."""
    weight_YXL1 = weight_YXL[..., None]
    height, width = weight_YXL.shape[:2]
    if height * width == 1:
        return values_YXLC
    even = ((0, height % 2), (0, width % 2), (0, 0), (0, 0))
    parts = np.pad(np.concatenate([values_YXLC * weight_YXL1, weight_YXL1], -1), even)
    parts = parts[::2] + parts[1::2]
    parts = parts[:, ::2] + parts[:, 1::2]
    coarse = _continued(
        parts[..., :-1] / np.maximum(parts[..., -1:], 1e-9), np.minimum(parts[..., -1], 1)
    )
    around = _doubled(_doubled(coarse).swapaxes(0, 1)).swapaxes(0, 1)[:height, :width]
    return around + (values_YXLC - around) * weight_YXL1


def _doubled(values_Yx: np.ndarray) -> np.ndarray:
    """Twice as many rows, interpolated linearly."""
    ends_Yx = np.concatenate([values_Yx[:1], values_Yx, values_Yx[-1:]])
    pairs_Y2x = np.stack([ends_Yx[:-2], ends_Yx[2:]], 1)
    pairs_Y2x = 0.75 * values_Yx[:, None] + 0.25 * pairs_Y2x
    return pairs_Y2x.reshape(-1, *values_Yx.shape[1:])
