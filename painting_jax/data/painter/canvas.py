"""Application of a stage's strokes to the canvas."""

import numpy as np

from painting_jax.data.painter.blurring import blur
from painting_jax.data.painter.guides import LUMA, Guides
from painting_jax.data.painter.placing import enlarged
from painting_jax.data.painter.strokes import Stamp, Strokes
from painting_jax.data.painter.texture import grain, weave
from painting_jax.media import Medium, Stage

# Width of a stroke, in pixels of the canvas, from which on its relief shows fully.
_THICK = 8.0

# Width of a stage's strokes above which the paint is thin enough to show the canvas under it.
_THIN = 3.0


def laid(
    before_HWC: np.ndarray,
    strokes: Strokes,
    stamp: Stamp,
    *,
    flow_HWC: np.ndarray | None,
    ground_C: np.ndarray,
    stage: Stage,
    medium: Medium,
    guides: Guides,
    scale: int,
) -> np.ndarray:
    """The canvas after a stage.

    Args:
      before_HWC: Canvas before the stage, float32 0..1, at `scale` times the photo's resolution.
      strokes: Strokes of the stage.
      stamp: Pixels that the strokes cover.
      flow_HWC: Paint at each pixel of the photo; None if each stroke has one colour.
      ground_C: Colour of the ground, which an eraser exposes.
      stage: Stage of the medium.
      medium: Medium of the painting.
      guides: Guides of the photo.
      scale: Resolution of the canvas relative to the photo.
    """
    height, width, channels = before_HWC.shape
    place_P = np.flatnonzero(stamp.touched_HW)
    before_PC = before_HWC.reshape(-1, channels).take(place_P, axis=0)
    if flow_HWC is None:
        paint_PC = strokes.colour_NC.take(stamp.stroke_P, axis=0)
    else:
        paint_PC = finer(flow_HWC, scale).reshape(-1, channels).take(place_P, axis=0)
    load_P = _load(stamp, place_P, stage, medium, guides, scale)
    if stage.blend == "cover":
        if medium.bristle or medium.impasto:
            wide = stage.width * enlarged(stage.width, *guides.labels_HW.shape) * scale
            paint_PC = paint_PC + _relief(strokes, stamp, stage, medium, wide)[:, None]
        if medium.weave and stage.width > _THIN:
            thread_P = weave(height // scale, width // scale, scale).reshape(-1)[place_P]
            # Small pictures do not show threads.
            seen = medium.weave * float(np.clip(guides.unit - 1, 0, 1))
            paint_PC = paint_PC + (seen * (thread_P - 0.5))[:, None]
        # Opaque paint either covers the grain or leaves it bare.
        change_PC = (paint_PC - before_PC) * np.clip(2.5 * load_P - 0.4, 0, 1)[:, None]
        if stage.only and stage.flowing:
            darker_P = change_PC @ LUMA < 0
            change_PC = change_PC * (darker_P == (stage.only == "darker"))[:, None]
    elif stage.blend == "lift":
        change_PC = (ground_C - before_PC) * (paint_PC * load_P[:, None])
    else:
        change_PC = -before_PC * np.minimum((1 - paint_PC) * load_P[:, None], 1)
    if stage.soft:
        change_HWC = np.zeros_like(before_HWC)
        change_HWC.reshape(-1, channels)[place_P] = change_PC
        change_HWC = blur(change_HWC, stage.soft * guides.unit * scale)
        change_PC = change_HWC.reshape(-1, channels)[place_P]
    if medium.rim and stage.blend == "glaze" and stage.marks == "strokes":
        rim_HW = _rim(stamp.touched_HW, finer(guides.labels_HW, scale), 0.8 * guides.unit * scale)
        change_PC = change_PC * (1 + medium.rim * (rim_HW.reshape(-1)[place_P] - 0.1))[:, None]
    after_HWC = before_HWC.copy()
    after_HWC.reshape(-1, channels)[place_P] = np.clip(before_PC + change_PC, 0, 1)
    return after_HWC


def _load(
    stamp: Stamp, place_P: np.ndarray, stage: Stage, medium: Medium, guides: Guides, scale: int
) -> np.ndarray:
    """Share of the paint that each pixel takes, by the ground, the hand and what is left bare."""
    load_P = np.ones(len(place_P), np.float32)
    if medium.tooth:
        load_P -= medium.tooth * grain(*guides.labels_HW.shape, scale).reshape(-1)[place_P]
    if medium.pressure:
        # The hand presses most soon after the beginning of a stroke, and lifts at its end.
        load_P *= 1 - medium.pressure * ((stamp.along_P + 0.3) / 1.3) ** 2
    if medium.reserve and stage.marks == "strokes":
        # Whites are paper that no wash touches.
        white_P = finer(guides.target_HWC.min(-1), scale).reshape(-1)[place_P]
        load_P *= np.clip((medium.reserve - white_P) / 0.05, 0, 1)
    return load_P


def _relief(
    strokes: Strokes, stamp: Stamp, stage: Stage, medium: Medium, wide: float
) -> np.ndarray:
    """Lightness that bristle marks and the lit relief of the paint add to each pixel.

    The paint is as thick as a brush of `wide` pixels of the canvas leaves it.
    """
    # Fat over lean: the first layers are thin.
    lean = float(np.clip(4 / stage.width, 0.3, 1))
    thick = lean * min(1.0, wide / _THICK)
    # Light from the upper left falls on the stroke's edges and on the ridges along it.
    lit_N = np.cos(strokes.angle_N + np.pi / 4)
    lit_P = (medium.impasto * lit_N * thick).astype(np.float32)[stamp.stroke_P]
    # An edge is as wide as the paint is thick, however broad the brush is.
    edge_P = np.abs(stamp.across_P) ** max(5.0, 0.5 * wide) * np.sign(stamp.across_P)
    edge_P *= 1 - 0.5 * np.abs(stamp.along_P)
    mark = 0.6 * medium.bristle * thick
    return stamp.paint_P * (mark + 0.05 * lit_P) - 0.16 * lit_P * edge_P


def _rim(touched_HW: np.ndarray, labels_HW: np.ndarray, wide: float) -> np.ndarray:
    """Where pigment gathers as a wash dries, 0..1: along the borders of what is wet."""
    wet_HW = np.where(touched_HW, labels_HW.astype(np.int16) + 1, 0)
    border_HW = np.zeros(wet_HW.shape, np.float32)
    across_HW, down_HW = wet_HW[:, 1:] != wet_HW[:, :-1], wet_HW[1:] != wet_HW[:-1]
    border_HW[:, 1:][across_HW] = border_HW[:, :-1][across_HW] = 1
    border_HW[1:][down_HW] = border_HW[:-1][down_HW] = 1
    # A line of two pixels is spread over the width of the rim, where it is 1 again.
    return np.clip(1.25 * wide * blur(border_HW, wide), 0, 1)


def finer(map_HWx: np.ndarray, scale: int) -> np.ndarray:
    """Repeats every pixel `scale` x `scale` times."""
    if scale == 1:
        return map_HWx
    return np.repeat(np.repeat(map_HWx, scale, 0), scale, 1)


def coarser(map_HWC: np.ndarray, scale: int) -> np.ndarray:
    """Averages `scale` x `scale` pixels into one."""
    if scale == 1:
        return map_HWC
    rows_HXC = map_HWC[::scale].copy()
    for y in range(1, scale):
        rows_HXC += map_HWC[y::scale]
    mean_HWC = rows_HXC[:, ::scale].copy()
    for x in range(1, scale):
        mean_HWC += rows_HXC[:, x::scale]
    return mean_HWC / scale**2
