"""What is done in a step of a process: where the canvas changes, and with what kind of marks."""

import dataclasses

import cv2
import numpy as np

from painting_jax.data import pictures
from painting_jax.instruction.mixing.colours import lab_of_srgb
from painting_jax.instruction.steps import Step

DRAWING, UNDERPAINTING, MASSES, FORMS, PART, DETAILS, LIGHTS, DARKS = KINDS = (
    "drawing", "underpainting", "masses", "forms", "part", "details", "lights", "darks",
)  # fmt: skip

_SIDE = 384  # longer side at which marks are measured, in pixels
_SMALL = 160  # and at which canvases are compared with the finished picture
_FRAMES = 24  # of a step, at most
_CHANGED = 6.0  # difference in CIELAB, summed over its axes, from which on a pixel is painted
# The inner width of what changes at once, to the width of the marks: held against some hundred
# stages of the stroke painter, whose brushes are known. Half of the errors are below a factor of
# 1.4, one in five above 1.9.
_WIDTH, _POWER = 1.2, 1.15
# Share of the canvas in one piece, from which on its marks are not told apart.
_RUN_INTO = 0.1
_THIN = 0.03  # width up to which marks are lines, as a share of the picture's mean side
_FEW = 0.05  # share of the canvas up to which thin marks are lines, and no tone
_EARLY = 0.5  # progress up to which a painting begins
# How far a canvas is from the finished picture: by the blur of the picture that it resembles most,
# as a share of the mean side, and by the share of the way that is left.
_BLURS = (0.0, 0.004, 0.006, 0.008, 0.012, 0.018, 0.028, 0.04, 0.06)
_ROUGH, _NEAR = (0.025, 0.0075), (0.3, 0.12)  # from which on shapes, and forms, are not done yet
_BARE = 0.6  # share of the way that is left where hardly anything is painted
_ALL_OVER = 0.6  # share of the canvas that is more than a part of it
_COLOURED = 0.3  # correlation of colours, below which a canvas only has light and dark
_CHROMA = 4.0  # deviation of a picture's colours from their mean, below which it has none
_DARK = 8.0  # levels of lightness below the picture's median
_SOFT = 0.35  # steepest change beside the whole one, across the edge of a mark


@dataclasses.dataclass(frozen=True)
class Marks:
    """What a step does.

    Attributes:
      kind: One of `KINDS`.
      changed_HW: Where the canvas changes, at the frames' size.
      area: Share of the canvas that changes.
      width: Typical width of a mark, as a share of the mean of the picture's sides; 0 if unknown.
      lighter: -1 if everything becomes darker, 1 if everything becomes lighter.
      soft: Share of the edges of what changes that are soft.
    """

    kind: str
    changed_HW: np.ndarray
    area: float
    width: float
    lighter: float
    soft: float


def of_step(frames_THWC: np.ndarray, step: Step, progress_T: np.ndarray) -> Marks:
    """Measures a step.

    Args:
      frames_THWC: uint8 RGB frames of the process.
      step: Step of it.
      progress_T: Progress of each frame, from 0 to 1.
    """
    index_M = np.unique(
        np.linspace(step.first, step.last, min(step.last - step.first + 1, _FRAMES))
        .round()
        .astype(int)
    )
    lab_MHWC = np.stack([lab_of_srgb(pictures.shrunk(frames_THWC[i], _SIDE)) for i in index_M])
    change_HWC = lab_MHWC[-1] - lab_MHWC[0]
    amount_HW = np.abs(change_HWC).sum(-1)
    changed_HW = amount_HW > _CHANGED
    height, width = changed_HW.shape
    side = float(np.sqrt(height * width))
    share = _width(lab_MHWC) / side
    lighter = float(change_HWC[..., 0].sum() / max(np.abs(change_HWC[..., 0]).sum(), 1e-6))
    area = float(changed_HW.mean())
    # Little that is thin is drawn, whether it darkens a pale ground or not.
    is_thin = share < _THIN and area < _FEW
    is_dark = 0 < share < _THIN and area < 0.3 and lighter < -0.3
    if (is_thin or is_dark) and progress_T[step.last] < _EARLY:
        kind = DRAWING
    else:
        blank_HWC, before_HWC, now_HWC, finished_HWC = (
            lab_of_srgb(pictures.shrunk(frames_THWC[i], _SMALL))
            for i in (0, step.first, step.last, -1)
        )
        where_HW = cv2.resize(
            changed_HW.astype(np.uint8), now_HWC.shape[1::-1], interpolation=cv2.INTER_NEAREST
        )
        kind = _kind(blank_HWC, before_HWC, now_HWC, finished_HWC, where_HW.astype(bool), lighter)
    full_HW = cv2.resize(
        changed_HW.astype(np.uint8), frames_THWC.shape[2:0:-1], interpolation=cv2.INTER_NEAREST
    )
    return Marks(kind, full_HW.astype(bool), area, share, lighter, _softness(amount_HW, changed_HW))


def _kind(
    blank_HWC: np.ndarray,
    before_HWC: np.ndarray,
    now_HWC: np.ndarray,
    finished_HWC: np.ndarray,
    changed_HW: np.ndarray,
    lighter: float,
) -> str:
    """What is painted, by how far the canvas gets where it changes; all in CIELAB."""
    if not changed_HW.any():
        return DETAILS
    side = np.sqrt(changed_HW.size)
    # Grain and weave are no detail.
    calm_HWC = cv2.GaussianBlur(now_HWC, (0, 0), _BLURS[1] * side)
    far_S = [
        _apart(calm_HWC, cv2.GaussianBlur(finished_HWC, (0, 0), max(blur * side, 0.1)), changed_HW)
        for blur in _BLURS
    ]
    rough = _BLURS[int(np.argmin(far_S))]
    whole = max(_apart(blank_HWC, finished_HWC, changed_HW), 1.0)
    left = _apart(now_HWC, finished_HWC, changed_HW) / whole
    if rough >= _ROUGH[0] or left >= _NEAR[0]:
        return MASSES if _is_coloured(now_HWC, finished_HWC, changed_HW) else UNDERPAINTING
    offset = float(finished_HWC[changed_HW][:, 0].mean() - np.median(finished_HWC[..., 0]))
    if lighter > 0.6 and offset > 0:
        return LIGHTS
    if rough >= _ROUGH[1] or left >= _NEAR[1]:
        return FORMS
    bare = _apart(before_HWC, finished_HWC, changed_HW) / whole
    if bare > _BARE:
        # What changes nearly everywhere is no part.
        return PART if changed_HW.mean() < _ALL_OVER else FORMS
    return DARKS if lighter < -0.6 and offset < -_DARK else DETAILS


def _apart(one_HWC: np.ndarray, other_HWC: np.ndarray, where_HW: np.ndarray) -> float:
    return float(np.abs(one_HWC - other_HWC).sum(-1)[where_HW].mean())


def _is_coloured(now_HWC: np.ndarray, finished_HWC: np.ndarray, where_HW: np.ndarray) -> bool:
    """Whether a canvas has the colours of the finished picture, if that has any."""
    now_P2, finished_P2 = (x_HWC[where_HW][:, 1:] for x_HWC in (now_HWC, finished_HWC))
    now_P2, finished_P2 = now_P2 - now_P2.mean(0), finished_P2 - finished_P2.mean(0)
    if np.sqrt(np.square(finished_P2).sum(-1).mean()) < _CHROMA:
        return True
    both = np.sqrt(np.square(now_P2).sum() * np.square(finished_P2).sum())
    return float((now_P2 * finished_P2).sum() / max(both, 1e-6)) > _COLOURED


def _width(lab_MHWC: np.ndarray) -> float:
    """Width of the marks that are made between neighbouring frames, in pixels; 0 if unknown.

    Where much is painted from one frame to the next, marks run into each other.
    """
    widths, unknown = [], 0
    for change_HWC in np.diff(lab_MHWC, axis=0):
        changed_HW = np.abs(change_HWC).sum(-1) > _CHANGED
        # Surrounded by what is not painted.
        inner_HW = cv2.distanceTransform(
            np.pad(changed_HW, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5
        )[1:-1, 1:-1]
        ridge_HW = (inner_HW >= cv2.dilate(inner_HW, np.ones((3, 3)))) & changed_HW
        if not ridge_HW.any():
            continue
        if _largest(changed_HW) >= _RUN_INTO:
            unknown += 1
            continue
        inner_R = inner_HW[ridge_HW]
        widths.append(2 * float(np.average(inner_R, weights=inner_R)) - 1)
    return _WIDTH * float(np.median(widths)) ** _POWER if len(widths) > unknown else 0.0


def _largest(changed_HW: np.ndarray) -> float:
    """Share of the canvas that the largest connected piece of a mask takes."""
    *_, facts, _ = cv2.connectedComponentsWithStats(changed_HW.astype(np.uint8))
    return float(facts[1:, cv2.CC_STAT_AREA].max(initial=0) / changed_HW.size)


def _softness(amount_HW: np.ndarray, changed_HW: np.ndarray) -> float:
    """Share of the edges of a change across which it grows slowly."""
    edge_HW = changed_HW & ~cv2.erode(changed_HW.astype(np.uint8), np.ones((3, 3))).astype(bool)
    if not edge_HW.any():
        return 0.0
    steep_HW = np.hypot(*np.gradient(amount_HW))
    around_HW = cv2.dilate(amount_HW, np.ones((7, 7)))
    return float((steep_HW[edge_HW] < _SOFT * around_HW[edge_HW] / 2).mean())
