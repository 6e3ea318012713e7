"""What a stage leaves on the canvas."""

import numpy as np

from painting_jax.data.painter.guides import Guides, blur, grain
from painting_jax.data.painter.strokes import Stamp, Strokes
from painting_jax.media import Medium, Stage

_BRUSHES = 16  # different sets of bristles


def laid(
    before_HWC: np.ndarray,
    ground_C: np.ndarray,
    strokes: Strokes,
    flow_HWC: np.ndarray | None,
    stamp: Stamp,
    stage: Stage,
    medium: Medium,
    guides: Guides,
    scale: int,
) -> np.ndarray:
    """The canvas after the stage, float32 0..1, `scale` times finer than the photo."""
    after_HWC = before_HWC.copy()
    touched_HW = stamp.touched_HW
    if not touched_HW.any():
        return after_HWC
    height, width = guides.labels_HW.shape
    if flow_HWC is None:
        paint_PC = strokes.colour_NC[stamp.stroke_P]
    else:
        paint_PC = finer(flow_HWC, scale)[touched_HW]
    bare_P = medium.tooth * grain(height, width, scale)[touched_HW]
    load_P = 1 - bare_P
    if stage.blend == "cover":
        paint_PC = paint_PC + _relief(strokes, stamp, medium)[:, None]
        change_HWC = np.zeros_like(before_HWC)
        change_HWC[touched_HW] = (paint_PC - before_HWC[touched_HW]) * _crisp(load_P)[:, None]
    elif stage.blend == "lift":
        change_HWC = np.zeros_like(before_HWC)
        change_HWC[touched_HW] = (ground_C - before_HWC[touched_HW]) * (paint_PC * load_P[:, None])
    else:
        load_P = load_P * (1 + medium.rim * (stamp.across_P**6 - 0.2))
        change_HWC = np.zeros_like(before_HWC)
        change_HWC[touched_HW] = -before_HWC[touched_HW] * (
            np.minimum((1 - paint_PC) * load_P[:, None], 1)
        )
    if stage.soft:
        change_HWC = blur(change_HWC, stage.soft * guides.unit * scale)
    after_HWC[touched_HW] += change_HWC[touched_HW]
    return np.clip(after_HWC, 0, 1, out=after_HWC)


def _crisp(load_P: np.ndarray) -> np.ndarray:
    """Opaque paint either sits on the grain or misses it."""
    return np.clip(2.5 * load_P - 0.4, 0, 1)


def _relief(strokes: Strokes, stamp: Stamp, medium: Medium) -> np.ndarray:
    """Lightness that bristles and the lit relief of the paint add, by pixel."""
    if not medium.bristle and not medium.impasto:
        return np.zeros(len(stamp.stroke_P), np.float32)
    bristles = stamp.bristle_P.max() + 2
    noise_KA = np.random.default_rng(1).standard_normal((_BRUSHES, bristles)).astype(np.float32)
    kind_P = stamp.stroke_P % _BRUSHES
    height_P = noise_KA[kind_P, stamp.bristle_P]
    slope_P = noise_KA[kind_P, stamp.bristle_P + 1] - height_P
    # Light falls from the upper left on ridges that run along the stroke, and on its edges.
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
    return sum(map_HWC[y::scale, x::scale] for y in range(scale) for x in range(scale)) / scale**2
