"""Maps that guide the painter: the photo in the medium's palette and its forms."""

import dataclasses

import numpy as np
from scipy import ndimage

from painting_jax.data.depth import behind
from painting_jax.data.painter.blurring import blur
from painting_jax.media import Medium

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclasses.dataclass(frozen=True)
class Guides:
    """Maps at the photo's size.

    Attributes:
      photo_HWC: uint8 photo.
      target_HWC: Photo in the medium's palette, 0..1.
      mean_KC: Mean colour of the target in each segment.
      labels_HW: Labels of the segments.
      angle_HW: Direction of the photo's forms (along edges), in radians.
      firm_HW: Certainty of that direction, 0..1.
      unit: Scale of stroke sizes, relative to a 64 x 64 picture.
    """

    photo_HWC: np.ndarray
    target_HWC: np.ndarray
    mean_KC: np.ndarray
    labels_HW: np.ndarray
    angle_HW: np.ndarray
    firm_HW: np.ndarray
    unit: float


def at(map_HWx: np.ndarray, y_N: np.ndarray, x_N: np.ndarray) -> np.ndarray:
    """Values of a map at the pixels nearest to the given positions."""
    height, width = map_HWx.shape[:2]
    rows = np.clip(np.rint(y_N), 0, height - 1).astype(int)
    return map_HWx[rows, np.clip(np.rint(x_N), 0, width - 1).astype(int)]


def unit_of(height: int, width: int) -> float:
    """Scale of stroke sizes; strokes grow more slowly than the picture, so it also has more."""
    return float((np.sqrt(height * width) / 64) ** 0.65)


def see(photo_HWC: np.ndarray, medium: Medium, labels_HW: np.ndarray) -> Guides:
    """Computes the guides of a uint8 photo for a medium."""
    height, width = labels_HW.shape
    unit = unit_of(height, width)
    target_HWC = palette(photo_HWC, medium)
    area_K = np.maximum(np.bincount(labels_HW.ravel()), 1)
    mean_KC = np.stack(
        [np.bincount(labels_HW.ravel(), target_HWC[..., c].ravel()) / area_K for c in range(3)], -1
    ).astype(np.float32)
    angle_HW, firm_HW = forms(target_HWC, unit)
    return Guides(photo_HWC, target_HWC, mean_KC, labels_HW, angle_HW, firm_HW, unit)


def see_behind(guides: Guides, medium: Medium, blend: str) -> Guides:
    """Guides of what lies behind the regions; label 0 where nothing is painted there.

    Transparent paint cannot cover what is behind: it is continued only under what is darker.

    Args:
      guides: Guides of the photo.
      medium: Medium of the painting.
      blend: How the strokes are laid, as in a `Stage`.
    """
    hidden = behind(guides.photo_HWC, guides.labels_HW)
    target_HWC, labels_HW = palette(hidden.picture_HWC, medium), hidden.labels_HW
    if blend != "cover":
        lighter_HW = (target_HWC - guides.target_HWC).min(-1) > -0.02
        labels_HW = np.where(lighter_HW, labels_HW, 0)
    return dataclasses.replace(guides, target_HWC=target_HWC, labels_HW=labels_HW)


def palette(photo_HWC: np.ndarray, medium: Medium) -> np.ndarray:
    """The photo in the medium's colours, float32 0..1."""
    picture_HWC = photo_HWC.astype(np.float32) / 255
    luma_HW1 = (picture_HWC @ LUMA)[..., None]
    saturation = 0.0 if medium.mono else medium.saturation
    picture_HWC = luma_HW1 + saturation * (picture_HWC - luma_HW1)
    return np.clip(0.5 + medium.contrast * (picture_HWC - 0.5), 0, 1)


def forms(target_HWC: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Direction and its certainty, computed from the colour structure tensor."""
    fine_HWC = blur(target_HWC, 0.7 * unit)
    dy_HWC, dx_HWC = np.gradient(fine_HWC, axis=(0, 1))
    yy_HW, xx_HW = (dy_HWC**2).sum(-1), (dx_HWC**2).sum(-1)
    xy_HW = (dy_HWC * dx_HWC).sum(-1)
    yy_HW, xx_HW, xy_HW = blur(np.stack([yy_HW, xx_HW, xy_HW], -1), 1.5 * unit).transpose(2, 0, 1)
    angle_HW = 0.5 * np.arctan2(2 * xy_HW, xx_HW - yy_HW) + np.pi / 2
    firm_HW = np.hypot(xx_HW - yy_HW, 2 * xy_HW) / (xx_HW + yy_HW + 1e-4)
    return angle_HW, np.clip(2 * firm_HW, 0, 1)


def line_art(picture_HWC: np.ndarray) -> np.ndarray:
    """A clean contour drawing of a picture, uint8 RGB: dark lines on white.

    It is an extended difference of Gaussians (Winnemöller et al. 2012) with a soft threshold.
    """
    unit = (np.sqrt(picture_HWC.shape[0] * picture_HWC.shape[1]) / 64) ** 0.5
    luma_HW = picture_HWC.astype(np.float32) @ LUMA / 255
    narrow_HW, wide_HW = blur(luma_HW, 0.6 * unit), blur(luma_HW, 1.1 * unit)
    line_HW = np.clip(1 + (narrow_HW - wide_HW + 0.01) * 25, 0.1, 1)
    marks_HW, _ = ndimage.label(line_HW < 0.85, np.ones((3, 3)))
    line_HW[(np.bincount(marks_HW.ravel()) < 8 * unit)[marks_HW]] = 1
    return np.repeat((255 * line_HW + 0.5).astype(np.uint8)[..., None], 3, -1)
