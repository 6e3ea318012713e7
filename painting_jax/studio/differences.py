"""What differs most between a canvas and a step of a process, as a person sees it."""

import dataclasses

import numpy as np
from scipy import ndimage

from painting_jax.data import pictures
from painting_jax.instruction import outlined
from painting_jax.instruction.language import Words
from painting_jax.instruction.mixing.colours import difference, lab_of_srgb
from painting_jax.instruction.places import place
from painting_jax.studio.regions import Regions

_SIDE = 160  # longer side in pixels at which canvases are compared
_SOFT = 1.5  # radius of the blur that parts colours from details, in such pixels
_NEAR = 4.0  # radius within which details are counted together
_SEEN = 3.0  # differences in CIE Lab below this are not seen, or come from the photo
_DETAIL = 0.8  # mean deviation of lightness, from which on details are seen
_FEWER = 0.6  # share of the step's details below which some are missing
_PEAK = 0.5  # share of a region's largest difference that is outlined
_OPPONENT = (("greener", "redder"), ("bluer", "yellower"))  # below and above 0 on a and b


@dataclasses.dataclass(frozen=True)
class Difference:
    """What differs most.

    Attributes:
      said: A sentence without a full stop.
      region: Number of the region that it is about; None = nothing differs much.
      path: Outline of the place in it, as the path of an SVG; "" if it is too small.
      shape: Height and width of the picture that the path is drawn on.
    """

    said: str
    region: int | None = None
    path: str = ""
    shape: tuple[int, int] = (1, 1)


def most(canvas_HWC: np.ndarray, step_HWC: np.ndarray, number: int, regions: Regions) -> Difference:
    """Finds it, region by region.

    Args:
      canvas_HWC: uint8 RGB canvas from the front, in the picture's light.
      step_HWC: uint8 RGB picture of the step.
      number: Number of the step.
      regions: Regions of the picture.
    """
    canvas_HWC = lab_of_srgb(pictures.shrunk(canvas_HWC, _SIDE))
    shape = canvas_HWC.shape[:2]
    step_HWC = lab_of_srgb(pictures.resize(step_HWC, *shape))
    soft_HWC, as_step_HWC = _soft(canvas_HWC), _soft(step_HWC)
    detail_HW, of_step_HW = (
        _details(x_HWC, s_HWC) for x_HWC, s_HWC in ((canvas_HWC, soft_HWC), (step_HWC, as_step_HWC))
    )
    # Grain of a photo is no detail that the person has painted.
    missing_HW = np.maximum(of_step_HW - detail_HW, 0)
    seen_HW = difference(soft_HWC, as_step_HWC) + missing_HW
    labels_HW = pictures.fit_labels(regions.labels_HW, *shape)
    # A large region that is somewhat off matters as much as a small one that is far off.
    amount_K = np.bincount(labels_HW.ravel(), seen_HW.ravel())
    amount_K[0] = 0
    region = int(amount_K.argmax())
    inside_HW = labels_HW == region
    if not amount_K[region] or seen_HW[inside_HW].mean() < _SEEN:
        return Difference(f"nothing differs much from step {number}")
    peak = np.quantile(seen_HW[inside_HW], 0.95)
    there_HW = inside_HW & (seen_HW >= _PEAK * peak)
    how = _directions(soft_HWC[there_HW], as_step_HWC[there_HW])
    step_detail = of_step_HW[there_HW].mean()
    is_bare = step_detail > _DETAIL and detail_HW[there_HW].mean() < _FEWER * step_detail
    where = Words.of("en").say("places", place(there_HW))
    said = f"most of the difference is {where}: "
    if how:
        said += f"your canvas is {' and '.join(how)} there"
        said += ", and has fewer details" if is_bare else ""
    elif is_bare:
        said += "your canvas has fewer details there"
    else:
        said += "shapes on your canvas lie elsewhere there, or are not painted yet"
    return Difference(said, region, outlined.path(there_HW), shape)


def _soft(lab_HWC: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(lab_HWC, (_SOFT, _SOFT, 0))


def _details(lab_HWC: np.ndarray, soft_HWC: np.ndarray) -> np.ndarray:
    """How much the lightness around each pixel deviates from its blur."""
    return ndimage.gaussian_filter(np.abs(lab_HWC - soft_HWC)[..., 0], _NEAR)


def _directions(canvas_P3: np.ndarray, step_P3: np.ndarray) -> list[str]:
    """Words for the mean difference, at most two: of the lightness, and of the colour."""
    mean_3, step_3 = canvas_P3.mean(0), step_P3.mean(0)
    apart_3 = mean_3 - step_3
    words = []
    if abs(apart_3[0]) >= _SEEN:
        words.append((abs(apart_3[0]), "lighter" if apart_3[0] > 0 else "darker"))
    colour = float(np.hypot(*apart_3[1:]))
    stronger = float(np.hypot(*mean_3[1:]) - np.hypot(*step_3[1:]))
    if colour >= _SEEN:
        axis = int(np.argmax(np.abs(apart_3[1:])))
        hue = _OPPONENT[axis][int(apart_3[1 + axis] > 0)]
        # Most of a difference in colour may lie in its strength.
        is_strength = abs(stronger) > 0.8 * colour and np.hypot(*step_3[1:]) > 2 * _SEEN
        strength = "stronger in colour" if stronger > 0 else "duller"
        words.append((colour, strength if is_strength else hue))
    return [word for _, word in sorted(words, reverse=True)]
