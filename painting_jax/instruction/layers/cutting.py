"""Cuts a process into layers: each holds what its step changed, and the rest of it is transparent.

Where the paint of a step differs little from what it covers, the layer is a glaze: its alpha is the
change, relative to `CONTRAST`. So the edges of strokes stay soft, and their colours plausible. With
an alpha a, a colour that is rounded to 8 bits is off by a/510 at most after it is laid. Below it is
off by less than half a level, of which (1 - a) is seen. So all layers together are never off by
half a level, however many they are: the composite, rounded, is the frame.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

# Largest change of a channel, of 255, from which on a layer is opaque. Thinner paint has a colour
# that differs by so much from what it covers, or by more where its alpha must be larger.
CONTRAST = 64
# Changes of a channel up to this, of 255, wait for a later step: two frames of noise of +-2.
TOLERANCE = 4


@dataclasses.dataclass(frozen=True)
class Layer:
    """What a step adds to a canvas, to be laid over it in normal mode.

    Attributes:
      name: Name of the step.
      left: Column of the canvas at which the layer begins.
      top: Row of the canvas at which it begins.
      pixels_HW4: uint8 RGBA, its colours not multiplied by alpha; at least 1x1, and no larger than
        what it holds needs.
    """

    name: str
    left: int
    top: int
    pixels_HW4: np.ndarray


def cut(
    frames_THWC: np.ndarray,
    names: Sequence[str],
    *,
    indices: Sequence[int] | None = None,
    tolerance: int = TOLERANCE,
) -> list[Layer]:
    """Cuts frames into layers, the lowest first.

    The lowest layer is the first frame, opaque. All layers together are the last frame to the bit;
    up to an earlier one they differ from its frame by `tolerance` at most. A step that changes
    nothing is a layer of one transparent pixel.

    Args:
      frames_THWC: uint8 RGB.
      names: A name for each layer.
      indices: Which frames are steps, rising; None = all.
      tolerance: Largest change of a channel, of 255, that is left to later steps.
    """
    chosen = list(range(len(frames_THWC)) if indices is None else indices)
    below_HWC = frames_THWC[chosen[0]]
    alpha_HW = np.full(below_HWC.shape[:2], 255, np.uint8)
    layers = [Layer(names[0], 0, 0, np.dstack([below_HWC, alpha_HW]))]
    for name, index in zip(names[1:], chosen[1:], strict=True):
        allowed = 0 if index == chosen[-1] else tolerance
        layer_HW4 = paint_over(below_HWC, frames_THWC[index], allowed)
        painted_HW = layer_HW4[..., 3] > 0
        below_HWC = np.where(painted_HW[..., None], frames_THWC[index], below_HWC)
        layers.append(_cropped(name, layer_HW4))
    return layers


def paint_over(below_HWC: np.ndarray, frame_HWC: np.ndarray, tolerance: int = 0) -> np.ndarray:
    """The layer that makes one picture of another, both uint8 RGB: uint8[H, W, 4].

    It is transparent where no channel differs by more than `tolerance`.
    """
    change_HWC = frame_HWC.astype(np.int32) - below_HWC
    most_HW = np.abs(change_HWC).max(-1)
    layer_HW4 = np.zeros((*most_HW.shape, 4), np.uint8)
    painted_HW = most_HW > tolerance
    change_PC, below_PC = change_HWC[painted_HW], below_HWC[painted_HW].astype(np.int32)
    # A channel changes at most to white or to black: the least alpha with which it gets there.
    room_PC = np.where(change_PC > 0, 255 - below_PC, below_PC).clip(1)
    least_P = _ceil_divided(255 * np.abs(change_PC), room_PC).max(-1, initial=0)
    alpha_P = np.maximum(least_P, _ceil_divided(255 * most_HW[painted_HW], CONTRAST)).clip(1, 255)
    twice_P1 = 2 * alpha_P[:, None]
    colour_PC = below_PC + (510 * change_PC + alpha_P[:, None]) // twice_P1
    layer_HW4[painted_HW] = np.concatenate([colour_PC, alpha_P[:, None]], 1)
    return layer_HW4


def _ceil_divided(number: np.ndarray, divisor: np.ndarray | int) -> np.ndarray:
    return -(-number // divisor)


def _cropped(name: str, layer_HW4: np.ndarray) -> Layer:
    rows = np.flatnonzero(layer_HW4[..., 3].any(1))
    columns = np.flatnonzero(layer_HW4[..., 3].any(0))
    top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (0, 1)
    left, right = (columns[0], columns[-1] + 1) if len(columns) else (0, 1)
    return Layer(name, int(left), int(top), layer_HW4[top:bottom, left:right].copy())
