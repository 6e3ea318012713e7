"""The light in a photo of a half-finished canvas, and the canvas without it.

Finished parts differ from the picture by one factor, the light, in all their colours; unfinished
ones by many. A factor on which one colour of the picture alone agrees may be that of the unpainted
ground, so each colour has one voice, whatever its share of the canvas. Light comes from somewhere:
its factor changes evenly over the canvas.
"""

import numpy as np
from scipy import ndimage
from scipy.cluster import vq

from painting_jax.data import pictures

_SIDE = 48  # pixels a side at which colours are compared
_COLOURS = 8  # of the picture
_DARK = 6  # levels of 255 that are added to all, since the ratio of dark colours is noise
_SEEN = 14  # and levels that tell of the light, with these
_TRIED = 300  # pixels whose factor is tried
_AGREE = 0.08  # log of the factor, within which pixels are in the same light
_MOST = 0.7  # largest log of a factor
_UNLIKELY = 0.1  # what a factor costs whose logs have a sum of squares of _USUAL squared
_USUAL = 0.2
_VOICE = 0.15  # share of a colour's pixels that must agree if the colour counts
_FEWEST = 3  # colours that must agree
_ROUNDS = 4  # in which the pixels that agree are sought again
_HELD = (0.5, 0.5, 0.5, 10, 10)  # how far the logs of factor and slope are held at 0, in pixels


def taken_away(canvas_HWC: np.ndarray, finished_HWC: np.ndarray) -> np.ndarray:
    """The canvas with the light of the picture, uint8; unchanged if the light cannot be told.

    Args:
      canvas_HWC: uint8 RGB canvas.
      finished_HWC: uint8 RGB picture as it looks when it is finished, of any size.
    """
    log_3, slope_2 = _factor(*(_colours(x_HWC) for x_HWC in (canvas_HWC, finished_HWC)))
    height, width = canvas_HWC.shape[:2]
    # Row by row, since photos are large.
    across_W = slope_2[0] * np.linspace(-1, 1, width)
    found_HWC = np.empty_like(canvas_HWC)
    for row, down in enumerate(slope_2[1] * np.linspace(-1, 1, height)):
        factor_W3 = np.exp(log_3 + (across_W + down)[:, None])
        found_HWC[row] = np.clip(canvas_HWC[row] * factor_W3 + 0.5, 0, 255)
    return found_HWC


def _colours(picture_HWC: np.ndarray) -> np.ndarray:
    """Blurred colours of a few pixels: float64[P, 3]."""
    small_HWC = pictures.resize(picture_HWC, _SIDE, _SIDE).astype(np.float64)
    return ndimage.gaussian_filter(small_HWC, (1, 1, 0)).reshape(-1, 3) + _DARK


def _factor(canvas_P3: np.ndarray, finished_P3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log of the factor of each channel, and its slope from the middle to the right and down."""
    log_P3 = np.log(finished_P3 / canvas_P3)
    place_P2 = np.stack(np.meshgrid(*[np.linspace(-1, 1, _SIDE)] * 2), axis=-1).reshape(-1, 2)
    _, colour_P = vq.kmeans2(finished_P3, _COLOURS, seed=0, minit="++")
    seen_P = (np.abs(log_P3) < _MOST).all(1) & (canvas_P3 > _SEEN).all(1)

    def agreeing(log_3: np.ndarray, slope_2: np.ndarray) -> np.ndarray:
        return (np.abs(log_P3 - log_3 - (place_P2 @ slope_2)[:, None]) < _AGREE).all(1)

    def voices(log_3: np.ndarray) -> np.ndarray:
        return np.bincount(colour_P[agreeing(log_3, np.zeros(2))], minlength=_COLOURS)

    def score(log_3: np.ndarray) -> float:
        unlikely = _UNLIKELY * float((log_3**2).sum()) / _USUAL**2
        return float(np.sqrt(voices(log_3) / len(log_P3)).sum()) - unlikely

    seen = np.flatnonzero(seen_P)
    tried = [np.zeros(3), *log_P3[seen[:: max(1, len(seen) // _TRIED)]]]
    log_3, slope_2 = max(tried, key=score), np.zeros(2)
    pixels_C = np.bincount(colour_P, minlength=_COLOURS)
    if (voices(log_3) > _VOICE * np.maximum(pixels_C, 1)).sum() < _FEWEST:
        return np.zeros(3), np.zeros(2)
    for _ in range(_ROUNDS):
        agree_P = agreeing(log_3, slope_2)
        terms_P35 = np.concatenate(
            [
                np.broadcast_to(np.eye(3), (agree_P.sum(), 3, 3)),
                np.repeat(place_P2[agree_P][:, None], 3, axis=1),
            ],
            axis=2,
        )
        terms_E5 = terms_P35.reshape(-1, 5)
        found_5 = np.linalg.solve(
            terms_E5.T @ terms_E5 + np.diag(_HELD), terms_E5.T @ log_P3[agree_P].ravel()
        )
        log_3, slope_2 = found_5[:3], found_5[3:]
    return log_3, slope_2
