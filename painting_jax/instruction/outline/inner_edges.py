"""The few long edges inside regions that make a face out of a silhouette."""

import cv2
import numpy as np
from scipy import ndimage
from skimage import measure

from painting_jax.instruction.outline.detail import Detail

_CLEAR = 0.003  # gradient by which an edge stands out, per pixel, of lightness 0..1
_CROWD = 0.9  # weight of the edges around it against it
_FIRM = 0.4  # certainty of an edge's direction: points and texture have little
_APART = 2.5  # blurs between two lines; nearer ones would say the same twice
_GAP = 12  # pixels of an edge that may be faint
_WIGGLE = 6.0  # blur along a line, in its points, that takes out wiggles
_CALM = 0.85  # share of its length that a calm line keeps then


def edges(picture_HWC: np.ndarray, lines: list[np.ndarray], detail: Detail) -> list[np.ndarray]:
    """Zero crossings of the Laplacian (Marr and Hildreth 1980) where the picture has firm edges.

    Args:
      picture_HWC: uint8 RGB.
      lines: Lines [P, 2] that are drawn already, (x, y) in corners of pixels.
      detail: Its lengths are in pixels of this picture.

    Returns:
      Lines [P, 2] with points about a pixel apart, those with most contrast first, away from each
      other and from what is drawn.
    """
    light_HW = cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32) / 255
    soft_HW = cv2.GaussianBlur(light_HW, (0, 0), detail.edge_blur)
    dy_HW, dx_HW = (cv2.Sobel(soft_HW, cv2.CV_32F, *way, scale=1 / 8) for way in ((0, 1), (1, 0)))
    slope_HW = np.hypot(dy_HW, dx_HW)
    # Among many edges none stands out: fur and leaves (Grigorescu, Petkov and Westenberg 2003).
    slope_HW -= _CROWD * cv2.GaussianBlur(slope_HW, (0, 0), 4 * detail.edge_blur)
    clear_HW = (slope_HW > _CLEAR) & (_firmness(dy_HW, dx_HW, detail.edge_blur) > _FIRM)
    wide = max(1, round(2 * _APART * detail.edge_blur))
    taken_HW = np.zeros(light_HW.shape, np.uint8)
    for line in lines:
        _draw(taken_HW, line, wide)
    bends_HW = cv2.Laplacian(soft_HW, cv2.CV_32F, ksize=3)
    curves = measure.find_contours(bends_HW, 0.0, mask=ndimage.maximum_filter(clear_HW, 5))
    clear_HW &= taken_HW == 0
    runs = [
        run
        for curve in curves
        # Points are at most the diagonal of a pixel apart.
        if 1.5 * len(curve) >= detail.edge_length
        for run in _runs(curve[:, ::-1] + 0.5, clear_HW, detail.edge_length)
    ]
    contrast_R = np.array([_at(slope_HW, run).sum() for run in runs])
    found: list[np.ndarray] = []
    for index in np.argsort(-contrast_R, kind="stable").tolist():
        if contrast_R[index] < detail.edge_contrast:
            break
        # What was drawn meanwhile may cover a part of it.
        for run in _runs(runs[index], taken_HW == 0, detail.edge_length):
            if len(found) == detail.edges:
                return found
            found.append(run)
            _draw(taken_HW, run, wide)
    return found


def _firmness(dy_HW: np.ndarray, dx_HW: np.ndarray, sigma: float) -> np.ndarray:
    """How much the gradients around a pixel point the same way or back, 0..1."""
    yy_HW, xx_HW, xy_HW = (
        cv2.GaussianBlur(product_HW, (0, 0), sigma)
        for product_HW in (dy_HW * dy_HW, dx_HW * dx_HW, dx_HW * dy_HW)
    )
    return np.hypot(xx_HW - yy_HW, 2 * xy_HW) / (xx_HW + yy_HW + 1e-9)


def _runs(line: np.ndarray, keep_HW: np.ndarray, shortest: float) -> list[np.ndarray]:
    """Parts of a line [P, 2] that are kept, small gaps bridged, without short ones."""
    keep_P = np.pad(_at(keep_HW, line), _GAP)
    keep_P = ndimage.binary_closing(keep_P, np.ones(_GAP + 1))[_GAP:-_GAP]
    turn_P = np.flatnonzero(np.diff(np.pad(keep_P.astype(np.int8), 1)))
    parts = [line[begin:end] for begin, end in zip(turn_P[::2], turn_P[1::2], strict=True)]
    return [part for part in parts if _length(part) >= shortest and _calm(part)]


def _calm(line: np.ndarray) -> bool:
    """Whether a line has few wiggles, which fur and leaves have many of."""
    smooth = ndimage.gaussian_filter1d(line, _WIGGLE, axis=0, mode="nearest")
    return _length(smooth) >= _CALM * _length(line) - 2 * _WIGGLE


def _length(line: np.ndarray) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _at(map_HW: np.ndarray, line: np.ndarray) -> np.ndarray:
    height, width = map_HW.shape
    x_P, y_P = line.astype(int).T
    return map_HW[np.clip(y_P, 0, height - 1), np.clip(x_P, 0, width - 1)]


def _draw(taken_HW: np.ndarray, line: np.ndarray, wide: int) -> None:
    points = np.rint(line - 0.5).astype(np.int32)
    cv2.polylines(taken_HW, [points[:, None]], False, 1, thickness=wide)
