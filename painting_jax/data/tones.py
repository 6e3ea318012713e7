"""Tonal variety: a photo bright, dark, flat, in hard contrast, nearly white, on white, drawn.

A dozen photos leave most tones unseen, and a model that never saw a bright picture paints one dark.
Training photos are therefore changed at random, and each held-out photo also comes in
every tone.
"""

from collections.abc import Callable

import numpy as np

from painting_jax.data.painter.blurring import blur
from painting_jax.data.painter.guides import LUMA, line_art

# Share of the training pictures that keep their tone, apart from mild changes.
_KEPT = 0.4


def brightened(picture_HWC: np.ndarray, mean: float) -> np.ndarray:
    """A gamma curve that brings the mean to about `mean`.

    Args:
      picture_HWC: uint8 RGB.
      mean: Mean brightness after the change, 0..1.
    """
    values_HWC = picture_HWC.astype(np.float32) / 255
    # The mean of a power is not the power of the mean: a few corrections suffice.
    gamma = 1.0
    for _ in range(6):
        now = float(np.clip((values_HWC**gamma).mean(), 0.02, 0.98))
        gamma = float(np.clip(gamma * np.log(mean) / np.log(now), 0.1, 10))
    return _quantised(values_HWC**gamma)


def contrasted(picture_HWC: np.ndarray, factor: float) -> np.ndarray:
    """Multiplies the distance of each value to the mean; a factor below 1 makes it flatter."""
    values_HWC = picture_HWC.astype(np.float32) / 255
    middle = values_HWC.mean()
    return _quantised(middle + factor * (values_HWC - middle))


def on_background(
    picture_HWC: np.ndarray, colour_C: tuple[float, float, float], radius: float
) -> np.ndarray:
    """The middle of a picture on a background of one colour, like a product photo.

    Args:
      picture_HWC: uint8 RGB.
      colour_C: RGB, 0..1.
      radius: Radius of the middle, an ellipse, relative to the sides of the picture.
    """
    height, width = picture_HWC.shape[:2]
    y_H1 = (np.arange(height)[:, None] + 0.5) / height - 0.5
    x_1W = (np.arange(width) + 0.5) / width - 0.5
    inside_HW1 = np.clip((radius - np.hypot(y_H1, x_1W)) * min(height, width) / 2, 0, 1)[..., None]
    values_HWC = picture_HWC.astype(np.float32) / 255
    return _quantised(inside_HW1 * values_HWC + (1 - inside_HW1) * np.array(colour_C, np.float32))


def keyed(picture_HWC: np.ndarray, share: float, *, high: bool) -> np.ndarray:
    """All values near white (high key) or near black (low key).

    Args:
      picture_HWC: uint8 RGB.
      share: Share of the range of values that is left.
      high: Whether it is left at the white end.
    """
    return _quantised((1 - share) * high + share * (picture_HWC.astype(np.float32) / 255))


def inked(picture_HWC: np.ndarray, share: float) -> np.ndarray:
    """The darkest places in black on white, like a woodcut or a logo.

    Args:
      picture_HWC: uint8 RGB.
      share: Share of the picture that is black, at least.
    """
    luma_HW = blur(picture_HWC.astype(np.float32) @ LUMA, min(picture_HWC.shape[:2]) / 64)
    black_HW = np.clip((np.quantile(luma_HW, share) - luma_HW) / 8 + 1, 0, 1)
    return _quantised(np.repeat(1 - 0.9 * black_HW[..., None], 3, -1))


def negative(picture_HWC: np.ndarray) -> np.ndarray:
    """Black for white."""
    return 255 - picture_HWC


# Tones in which held-out photos are painted, too.
HELD_OUT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bright": lambda picture_HWC: brightened(picture_HWC, 0.8),
    "dark": lambda picture_HWC: brightened(picture_HWC, 0.12),
    "flat": lambda picture_HWC: contrasted(picture_HWC, 0.3),
    "high_contrast": lambda picture_HWC: contrasted(picture_HWC, 3),
    "white_background": lambda picture_HWC: on_background(picture_HWC, (1, 1, 1), 0.3),
    "drawing": line_art,
}


def varied(picture_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture in a random tone, uint8[H, W, 3]; four of ten keep theirs."""
    if rng.random() < _KEPT:
        return picture_HWC
    shares, changes = zip(*_CHANGES, strict=True)
    return changes[rng.choice(len(changes), p=shares)](picture_HWC, rng)


def _on_some_background(picture_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White most of the time, else one colour of any brightness."""
    grey = 1.0 if rng.random() < 0.6 else rng.uniform(0, 1)
    tint_C = np.clip(grey + rng.uniform(-0.1, 0.1, 3) * (grey < 1), 0, 1)
    # Bright things on white are the hardest: little but their edges tells them from the canvas.
    if rng.random() < 0.5:
        picture_HWC = brightened(picture_HWC, rng.uniform(0.3, 0.9))
    return on_background(picture_HWC, tuple(tint_C), rng.uniform(0.2, 0.45))


def _in_some_key(picture_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Down to a nearly blank sheet, most of them white as paper is."""
    share = np.exp(rng.uniform(np.log(0.03), np.log(0.6)))
    return keyed(picture_HWC, share, high=rng.random() < 0.8)


# Shares of the changed pictures, and how they are changed.
_CHANGES: tuple[tuple[float, Callable[[np.ndarray, np.random.Generator], np.ndarray]], ...] = (
    (0.28, lambda picture_HWC, rng: brightened(picture_HWC, rng.uniform(0.05, 0.95))),
    (
        0.15,
        lambda picture_HWC, rng: contrasted(
            picture_HWC, np.exp(rng.uniform(np.log(0.2), np.log(4)))
        ),
    ),
    (0.22, _on_some_background),
    (0.12, _in_some_key),
    (0.08, lambda picture_HWC, rng: line_art(picture_HWC)),
    (0.05, lambda picture_HWC, rng: inked(picture_HWC, rng.uniform(0.02, 0.4))),
    (0.10, lambda picture_HWC, rng: negative(picture_HWC)),
)


def _quantised(values_HWC: np.ndarray) -> np.ndarray:
    return np.clip(255 * values_HWC + 0.5, 0, 255).astype(np.uint8)
