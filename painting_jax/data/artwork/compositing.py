"""Layers laid over each other by the formulas of W3C Compositing and Blending Level 1.

A canvas is float32[H, W, 4] in [0, 1]: red, green and blue, already multiplied by alpha, and alpha.
"""

from collections.abc import Callable, Iterator

import numpy as np

# The intermediate arrays of a blend mode are so many pixels, not as large as the canvas.
_PIXELS_AT_ONCE = 1 << 18
_OPAQUE = 1 - 1e-4


def blank(height: int, width: int) -> np.ndarray:
    """A transparent canvas, float32[height, width, 4]."""
    return np.zeros((height, width, 4), np.float32)


def lay(
    canvas_HW4: np.ndarray,
    layer_HW4: np.ndarray,
    *,
    left: int = 0,
    top: int = 0,
    opacity: float = 1.0,
    operation: str = "normal",
) -> None:
    """Lays a layer over a canvas, in place. What lies outside the canvas is cut off.

    Args:
      canvas_HW4: The canvas.
      layer_HW4: Another canvas, or a picture: uint8 RGBA, its colours not multiplied by alpha. Of
        any size.
      left: Column of the canvas at which the layer begins.
      top: Row of the canvas at which the layer begins.
      opacity: In [0, 1].
      operation: One of `OPERATIONS`.
    """
    (height, width), (rows, columns) = canvas_HW4.shape[:2], layer_HW4.shape[:2]
    y0, y1 = max(0, top), min(height, top + rows)
    x0, x1 = max(0, left), min(width, left + columns)
    if y0 >= y1 or x0 >= x1:
        return
    below = canvas_HW4[y0:y1, x0:x1]
    above = layer_HW4[y0 - top : y1 - top, x0 - left : x1 - left]
    for strip in _strips(y1 - y0, x1 - x0):
        below[strip] = _over(below[strip], *_straight(above[strip]), opacity, operation)


def shown(canvas_HW4: np.ndarray) -> np.ndarray:
    """A canvas over white, as uint8[H, W, 3]."""
    height, width = canvas_HW4.shape[:2]
    picture_HWC = np.empty((height, width, 3), np.uint8)
    for strip in _strips(height, width):
        colour, alpha = canvas_HW4[strip, :, :3], canvas_HW4[strip, :, 3:]
        picture_HWC[strip] = np.clip((colour + 1 - alpha) * 255 + 0.5, 0, 255)
    return picture_HWC


def is_ground(canvas_HW4: np.ndarray) -> bool:
    """Whether a canvas is opaque and of one colour throughout."""
    if canvas_HW4[..., 3].min() < _OPAQUE:
        return False
    return all(np.ptp(canvas_HW4[..., channel]) < 0.5 / 255 for channel in range(3))


def _strips(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _PIXELS_AT_ONCE // columns)
    return (slice(row, min(row + step, rows)) for row in range(0, rows, step))


def _straight(layer_HW4: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour, not multiplied by alpha, and alpha of a layer."""
    if layer_HW4.dtype == np.uint8:
        layer_HW4 = layer_HW4.astype(np.float32) / 255
        return layer_HW4[..., :3], layer_HW4[..., 3:]
    return _unmultiplied(layer_HW4), layer_HW4[..., 3:]


def _unmultiplied(canvas_HW4: np.ndarray) -> np.ndarray:
    alpha = canvas_HW4[..., 3:]
    colour = canvas_HW4[..., :3] / np.where(alpha > 0, alpha, 1)
    return np.minimum(colour, 1)


def _over(
    below: np.ndarray, colour: np.ndarray, alpha: np.ndarray, opacity: float, operation: str
) -> np.ndarray:
    alpha = alpha * np.float32(opacity)
    if operation == "plus":
        return np.minimum(below + np.concatenate([colour * alpha, alpha], -1), 1)
    if operation != "normal":
        backdrop_alpha = below[..., 3:]
        mixed = _BLENDS[operation](_unmultiplied(below), colour)
        colour = (1 - backdrop_alpha) * colour + backdrop_alpha * mixed
    return np.concatenate([colour * alpha, alpha], -1) + (1 - alpha) * below


def _multiply(below, above):
    return below * above


def _screen(below, above):
    return below + above - below * above


def _hard_light(below, above):
    return np.where(above <= 0.5, 2 * below * above, _screen(below, 2 * above - 1))


def _overlay(below, above):
    return _hard_light(above, below)


def _colour_dodge(below, above):
    brighter = below / np.maximum(1 - above, 1e-6)
    return np.where(below <= 0, 0, np.minimum(1, brighter))


def _colour_burn(below, above):
    darker = (1 - below) / np.maximum(above, 1e-6)
    return np.where(below >= 1, 1, 1 - np.minimum(1, darker))


def _soft_light(below, above):
    darker = below - (1 - 2 * above) * below * (1 - below)
    curve = np.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, np.sqrt(below))
    return np.where(above <= 0.5, darker, below + (2 * above - 1) * (curve - below))


def _difference(below, above):
    return np.abs(below - above)


_BLENDS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "multiply": _multiply,
    "screen": _screen,
    "overlay": _overlay,
    "darken": np.minimum,
    "lighten": np.maximum,
    "color-dodge": _colour_dodge,
    "color-burn": _colour_burn,
    "hard-light": _hard_light,
    "soft-light": _soft_light,
    "difference": _difference,
}
OPERATIONS = frozenset(["normal", "plus", *_BLENDS])
