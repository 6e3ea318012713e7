"""Application of a stage's strokes to the canvas."""

import numpy as np

from painting_jax.data.painter.guides import Guides, blur, grain
from painting_jax.data.painter.strokes import Stamp, Strokes
from painting_jax.media import Medium, Stage


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
    before_PC = before_HWC.reshape(-1, channels)[place_P]
    if flow_HWC is None:
        paint_PC = strokes.colour_NC[stamp.stroke_P]
    else:
        paint_PC = finer(flow_HWC, scale).reshape(-1, channels)[place_P]
    load_P = np.ones(len(place_P), np.float32)
    if medium.tooth:
        load_P -= medium.tooth * grain(height // scale, width // scale, scale).reshape(-1)[place_P]
    if stage.blend == "cover":
        if medium.bristle or medium.impasto:
            paint_PC = paint_PC + _relief(strokes, stamp, medium)[:, None]
        # Opaque paint either covers the grain or leaves it bare.
        change_PC = (paint_PC - before_PC) * np.clip(2.5 * load_P - 0.4, 0, 1)[:, None]
    elif stage.blend == "lift":
        change_PC = (ground_C - before_PC) * (paint_PC * load_P[:, None])
    else:
        if medium.rim:
            load_P = load_P * (1 + medium.rim * (stamp.across_P**6 - 0.2))
        change_PC = -before_PC * np.minimum((1 - paint_PC) * load_P[:, None], 1)
    if stage.soft:
        change_HWC = np.zeros_like(before_HWC)
        change_HWC.reshape(-1, channels)[place_P] = change_PC
        change_HWC = blur(change_HWC, stage.soft * guides.unit * scale)
        change_PC = change_HWC.reshape(-1, channels)[place_P]
    after_HWC = before_HWC.copy()
    after_HWC.reshape(-1, channels)[place_P] = np.clip(before_PC + change_PC, 0, 1)
    return after_HWC


def _relief(strokes: Strokes, stamp: Stamp, medium: Medium) -> np.ndarray:
    """Lightness that bristle marks and the lit relief of the paint add to each pixel."""
    # The seed is fixed: all strokes are made with the same brush.
    bristles = int(stamp.bristle_P.max(initial=0)) + 2
    bristle_A = np.random.default_rng(1).standard_normal(bristles).astype(np.float32)
    height_P = bristle_A[stamp.bristle_P]
    slope_P = np.diff(bristle_A)[stamp.bristle_P]
    # Light from the upper left falls on the stroke's edges and on the ridges along it.
    lit_N = np.cos(strokes.angle_N + np.pi / 4).astype(np.float32)
    edge_P = stamp.across_P**5 * (1 - 0.5 * np.abs(stamp.along_P))
    return medium.bristle * 0.6 * height_P + medium.impasto * lit_N[stamp.stroke_P] * (
        0.05 * slope_P - 0.16 * edge_P
    )


def finer(map_HWx: np.ndarray, scale: int) -> np.ndarray:
    """Repeats every pixel `scale` x `scale` times."""
    return np.repeat(np.repeat(map_HWx, scale, 0), scale, 1)


def coarser(map_HWC: np.ndarray, scale: int) -> np.ndarray:
    """Averages `scale` x `scale` pixels into one."""
    if scale == 1:
        return map_HWC
    parts = [map_HWC[y::scale, x::scale] for y in range(scale) for x in range(scale)]
    return np.asarray(sum(parts) / scale**2)
