"""Cuts in a recording: where one shot ends and another begins."""

import numpy as np
from scipy import ndimage

from painting_jax.data.curation import medians

_AROUND = 3  # frames before and after a cut that are compared; their median holds no hand
_UNLIKE = 0.6  # likeness below which it is a plain cut, relative to the usual one,
_ALIKE = 0.8  # and from which on it is none; the camera may have been moved by little
_FAINT = 0.1  # share of the usual energy of edges that two empty pictures may differ by


def starts(slopes_THW: np.ndarray) -> dict[int, bool]:
    """Indices of the frames with which shots may begin, and whether each is plainly a cut.

    Within a shot, edges stay where they are from a few frames to the next few: those of the desk
    and of the canvas, and most of what is painted. A bold step of a painting may look like a cut.

    Args:
      slopes_THW: Strength of edges, 0..1, float32.
    """
    count = len(slopes_THW)
    soft_THW = np.stack([ndimage.gaussian_filter(one_HW, 1.0) for one_HW in slopes_THW])
    soft_THW -= soft_THW.mean((1, 2), keepdims=True)
    usual = float(np.median(np.square(soft_THW).mean((1, 2)))) + 1e-9
    alike_T = np.ones(count)
    for t in range(1, count):
        before_HW = medians.median(soft_THW[max(0, t - _AROUND) : t])
        after_HW = medians.median(soft_THW[t : t + _AROUND])
        alike_T[t] = _alike(before_HW, after_HW, _FAINT * usual)
    least_T = ndimage.minimum_filter1d(alike_T, 2 * _AROUND - 1)
    usually = np.median(alike_T)
    found = np.flatnonzero((alike_T < _ALIKE * usually) & (alike_T == least_T))
    # Medians see it a frame too early or too late; two frames tell which it is.
    exact: dict[int, bool] = {}
    for t in map(int, found):
        at = min(
            range(max(1, t - 1), min(count, t + 2)),
            key=lambda at: _alike(soft_THW[at - 1], soft_THW[at], _FAINT * usual),
        )
        exact[at] = exact.get(at, False) or bool(alike_T[t] < _UNLIKE * usually)
    return dict(sorted(exact.items()))


def _alike(one_HW: np.ndarray, other_HW: np.ndarray, faint: float) -> float:
    """Likeness of two pictures of edges, at most 1."""
    most = max(np.square(one_HW).mean(), np.square(other_HW).mean())
    return float(((one_HW * other_HW).mean() + faint) / (most + faint))
