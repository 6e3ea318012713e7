"""Where a stage's strokes go, in which colour and in which order."""

import numpy as np

from painting_jax.data.painter.guides import LUMA, Guides, at, blur
from painting_jax.data.painter.loomis import construction
from painting_jax.data.painter.manner import SCALES, Manner, advance
from painting_jax.data.painter.placing import contours, lattice
from painting_jax.data.painter.strokes import Strokes
from painting_jax.media import Medium, Stage

_PLACE = {"contours": contours, "construction": construction, "strokes": lattice}


def plan(
    stage: Stage,
    start: float,
    *,
    medium: Medium,
    manner: Manner,
    guides: Guides,
    canvas_HWC: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Strokes, np.ndarray | None]:
    """The stage's strokes, sorted by time from `start` to nearly `stage.until`.

    Args:
      canvas_HWC: what stands on the canvas when the stage begins, at the photo's size, 0..1.

    Returns:
      The strokes, and if their paint flows its map [H, W, 3].
    """
    strokes = _PLACE[stage.marks](stage, SCALES[manner.scale], guides, rng)
    paint_HWC = None
    if stage.marks == "strokes":
        ground_C = np.array(medium.grounds[manner.ground], np.float32)
        paint_HWC, gain_HW = mixed(
            stage, medium, guides, canvas_HWC, wide=strokes.width_N[0], ground_C=ground_C
        )
        strokes = _worthwhile(strokes, stage, gain_HW, guides)
        strokes.colour_NC = at(paint_HWC, strokes.y_N, strokes.x_N)
        uneven_N1 = rng.normal(0, medium.jitter, (len(strokes), 1)).astype(np.float32)
        strokes.colour_NC = np.clip(strokes.colour_NC + uneven_N1, 0, 1)
    else:
        strokes.colour_NC = 1 - strokes.colour_NC * (1 - np.array(medium.line, np.float32))
    if stage.marks != "construction":
        strokes = _ordered(strokes, stage, manner, guides, rng)
    strokes.time_N = start + (stage.until - start) * 0.95 * strokes.time_N
    return strokes, paint_HWC if stage.flowing else None


def mixed(
    stage: Stage,
    medium: Medium,
    guides: Guides,
    canvas_HWC: np.ndarray,
    *,
    wide: float,
    ground_C: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The paint that each place asks for, [H, W, 3], and how much it would gain by it, [H, W].

    Args:
      wide: the brush's width in pixels; forms narrower than it are not seen.
      ground_C: what an eraser lays bare.
    """
    aim_HWC = blur(guides.target_HWC, (0.2 if stage.flowing else 0.35) * wide)
    if stage.flat:
        aim_HWC = aim_HWC + stage.flat * (guides.mean_KC[guides.labels_HW] - aim_HWC)
    now_HWC = blur(canvas_HWC, max(0.5, stage.gap) * wide)
    if stage.blend == "cover":
        return aim_HWC, np.abs(aim_HWC - now_HWC).sum(-1)
    if medium.mono:
        aim_HWC, now_HWC = (aim_HWC @ LUMA)[..., None], (now_HWC @ LUMA)[..., None]
    if stage.blend == "lift":
        lighter_HWC = (aim_HWC - now_HWC).clip(0)
        ground = ground_C @ LUMA if medium.mono else ground_C
        paint_HWC = lighter_HWC / (ground - now_HWC).clip(0.05)
    else:
        through_HWC = np.clip(aim_HWC / np.maximum(now_HWC, 1e-3), 1e-3, 1)
        through_HWC = through_HWC**stage.strength
        # Gaps and grain stay bare, so the paint between them is the darker for it.
        cover = min(1.0, 0.85 / stage.gap) * (1 - 0.5 * medium.tooth)
        held_HWC = (1 - through_HWC) / cover
        # A layer that cannot be dark enough keeps its hue.
        most_HW1 = held_HWC.max(-1, keepdims=True)
        held_HWC *= np.minimum(1, (1 - medium.darkest) / np.maximum(most_HW1, 1e-6))
        paint_HWC = 1 - held_HWC
        lighter_HWC = 1 - through_HWC
    paint_HWC = np.broadcast_to(paint_HWC.clip(0, 1), canvas_HWC.shape)
    return paint_HWC, lighter_HWC.mean(-1)


def _worthwhile(strokes: Strokes, stage: Stage, gain_HW: np.ndarray, guides: Guides) -> Strokes:
    """The share of strokes that gains most; none that gains nothing to speak of."""
    gain_N = at(gain_HW, strokes.y_N, strokes.x_N)
    least = 0.01
    if stage.accents:
        luma_HW = guides.target_HWC @ LUMA
        gain_N = gain_N * np.abs(at(luma_HW, strokes.y_N, strokes.x_N) - luma_HW.mean())
        least = 0.002
    kept = np.argsort(-gain_N, kind="stable")[: max(1, round(stage.share * len(gain_N)))]
    return strokes.take(kept[gain_N[kept] > least])


def _ordered(
    strokes: Strokes, stage: Stage, manner: Manner, guides: Guides, rng: np.random.Generator
) -> Strokes:
    """Sorts strokes region by region and along the manner's direction, and times them 0..1."""
    height, width = guides.labels_HW.shape
    ahead_N = advance(manner.direction, strokes.y_N / height, strokes.x_N / width)
    ahead_N = ahead_N + rng.uniform(-0.03, 0.03, len(ahead_N))
    label_N = strokes.label_N.astype(int) * stage.by_region
    strokes = strokes.take(np.lexsort((ahead_N, label_N)))
    label_N = strokes.label_N.astype(int) * stage.by_region
    # A region takes time with the root of its strokes, so that a small one is seen to be painted.
    count_K = np.bincount(label_N)
    step_N = 1 / np.sqrt(count_K[label_N])
    strokes.time_N = (np.cumsum(step_N) - step_N) / max(step_N.sum(), 1e-9)
    return strokes
