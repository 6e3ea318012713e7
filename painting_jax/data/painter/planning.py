"""Plan of a stage: positions, colours and order of its strokes."""

import numpy as np

from painting_jax.data.painter import loomis, perspective
from painting_jax.data.painter.blurring import blur
from painting_jax.data.painter.guides import LUMA, Guides, at
from painting_jax.data.painter.lines import contours
from painting_jax.data.painter.manner import ALLA_PRIMA, SCALES, Manner, advance
from painting_jax.data.painter.placing import lattice
from painting_jax.data.painter.planes import in_planes
from painting_jax.data.painter.strokes import Strokes
from painting_jax.data.painter.turns import Turns
from painting_jax.media import Medium, Stage

_PLACE = {
    "contours": contours,
    "construction": loomis.construction,
    "perspective": perspective.construction,
    "strokes": lattice,
}
_RULED = ("construction", "perspective")  # marks that are drawn one after the other


def plan(
    stage: Stage,
    turns: Turns,
    *,
    medium: Medium,
    manner: Manner,
    guides: Guides,
    canvas_HWC: np.ndarray,
    rng: np.random.Generator,
    where_HW: np.ndarray | None = None,
) -> tuple[Strokes, np.ndarray | None]:
    """Plans the strokes of a stage, sorted by region, each within the turn of its region.

    Args:
      stage: Stage to plan.
      turns: When each region is painted.
      medium: Medium of the painting.
      manner: Manner of painting.
      guides: Guides of the photo.
      canvas_HWC: Canvas at the beginning of the stage, at the photo's size, 0..1.
      rng: Random generator for placement, order and colour.
      where_HW: Where strokes of colour are laid, bool; None = everywhere.

    Returns:
      The strokes, and a map [H, W, 3] of paint if `stage.flowing`, otherwise None.
    """
    strokes = _PLACE[stage.marks](stage, SCALES[manner.scale], guides, rng)
    paint_HWC = None
    if stage.marks == "strokes":
        ground_C = np.array(medium.grounds[manner.ground], np.float32)
        paint_HWC, gain_HW = mixed(
            stage, medium, guides, canvas_HWC, wide=strokes.width_N[0], ground_C=ground_C
        )
        if where_HW is not None:
            strokes = strokes.take(at(where_HW, strokes.y_N, strokes.x_N))
        strokes = _worthwhile(strokes, stage, gain_HW, guides)
        strokes.colour_NC = at(paint_HWC, strokes.y_N, strokes.x_N)
        # Differences that enliven broad strokes would be noise in fine ones.
        uneven = medium.jitter * min(1.0, stage.width / 3)
        uneven_N1 = rng.normal(0, uneven, (len(strokes), 1)).astype(np.float32)
        strokes.colour_NC = np.clip(strokes.colour_NC + uneven_N1, 0, 1)
    else:
        strokes.colour_NC = 1 - strokes.colour_NC * (1 - np.array(medium.line, np.float32))
    if stage.marks in _RULED:
        begin, end = turns.window_G2[0]
        strokes.time_N = begin + (end - begin) * 0.95 * strokes.time_N
    else:
        strokes = _ordered(strokes, stage, turns, manner, guides, rng)
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
    """Paint that brings the canvas closest to the target, and its benefit.

    Args:
      stage: Stage of the strokes.
      medium: Medium of the painting.
      guides: Guides of the photo.
      canvas_HWC: Canvas at the beginning of the stage, at the photo's size, 0..1.
      wide: Width of the brush in pixels. Narrower forms are ignored.
      ground_C: Colour of the ground, which an eraser exposes.

    Returns:
      The paint at each pixel, [H, W, 3], and by how much it would improve the pixel, [H, W].
    """
    seen_HWC = blur(guides.target_HWC, (0.2 if stage.flowing else 0.35) * wide)
    aim_HWC = seen_HWC
    if stage.planes:
        aim_HWC = aim_HWC + stage.planes * (
            in_planes(guides.target_HWC, guides.labels_HW) - aim_HWC
        )
    if stage.flat:
        aim_HWC = aim_HWC + stage.flat * (guides.mean_KC[guides.labels_HW] - aim_HWC)
    if stage.values:
        aim_HWC = aim_HWC + stage.values * (in_values(aim_HWC, medium, ground_C) - aim_HWC)
    if stage.blend == "cover":
        gain_HW = np.abs(aim_HWC - canvas_HWC).sum(-1)
        if stage.share < 1:
            # Such a brush does not paint what it is too broad for.
            gain_HW = np.abs(guides.target_HWC - canvas_HWC).sum(-1)
            gain_HW = blur(gain_HW - np.abs(guides.target_HWC - seen_HWC).sum(-1), 0.4 * wide)
        if stage.only:
            sign = 1 if stage.only == "lighter" else -1
            gain_HW = gain_HW * (sign * ((aim_HWC - canvas_HWC) @ LUMA) > 0)
        return aim_HWC, gain_HW
    now_HWC = blur(canvas_HWC, max(0.5, stage.gap) * wide)
    if medium.mono:
        aim_HWC, now_HWC = (aim_HWC @ LUMA)[..., None], (now_HWC @ LUMA)[..., None]
    if stage.blend == "lift":
        gain_HWC = (aim_HWC - now_HWC).clip(0)
        ground = ground_C @ LUMA if medium.mono else ground_C
        paint_HWC = gain_HWC / (ground - now_HWC).clip(0.05)
    else:
        through_HWC = np.clip(aim_HWC / np.maximum(now_HWC, 1e-3), 1e-3, 1)
        through_HWC = through_HWC**stage.strength
        # Gaps and grain stay bare, so the paint between them must be darker.
        cover = min(1.0, 0.85 / stage.gap) * (1 - 0.5 * medium.tooth)
        cover *= 1 - 0.25 * medium.pressure
        held_HWC = (1 - through_HWC) / cover
        # A layer that cannot be dark enough is scaled as a whole, to keep its hue.
        most_HW1 = held_HWC.max(-1, keepdims=True)
        held_HWC *= np.minimum(1, (1 - medium.darkest) / np.maximum(most_HW1, 1e-6))
        paint_HWC = 1 - held_HWC
        gain_HWC = now_HWC * (1 - through_HWC)
    paint_HWC = np.broadcast_to(paint_HWC.clip(0, 1), canvas_HWC.shape)
    return paint_HWC, gain_HWC.mean(-1)


def in_values(picture_HWC: np.ndarray, medium: Medium, ground_C: np.ndarray) -> np.ndarray:
    """The picture as an underpainting: values from the medium's line over the ground to white."""
    luma_HW = picture_HWC @ LUMA
    middle = float(np.clip(ground_C @ LUMA, 0.3, 0.9))
    knots, colours = (0, middle, 1), (0.5 * np.array(medium.line), ground_C, np.ones(3))
    sides = [np.interp(luma_HW, knots, side) for side in zip(*colours, strict=True)]
    return np.stack(sides, -1).astype(np.float32)


def _worthwhile(strokes: Strokes, stage: Stage, gain_HW: np.ndarray, guides: Guides) -> Strokes:
    """Keeps the share of strokes with the largest benefit, without those of negligible benefit."""
    gain_N = at(gain_HW, strokes.y_N, strokes.x_N)
    least = 0.01
    if stage.accents:
        luma_HW = guides.target_HWC @ LUMA
        gain_N = gain_N * np.abs(at(luma_HW, strokes.y_N, strokes.x_N) - luma_HW.mean())
        least = 0.002
    kept = np.argsort(-gain_N, kind="stable")[: max(1, round(stage.share * len(gain_N)))]
    return strokes.take(kept[gain_N[kept] > least])


def _ordered(
    strokes: Strokes,
    stage: Stage,
    turns: Turns,
    manner: Manner,
    guides: Guides,
    rng: np.random.Generator,
) -> Strokes:
    """Sorts strokes by turn, by region and along the manner's direction, and sets their times.

    Lines keep the order in which they are drawn.
    """
    height, width = guides.labels_HW.shape
    ahead_N = np.arange(len(strokes))
    if stage.marks == "strokes":
        ahead_N = advance(manner.direction, strokes.y_N / height, strokes.x_N / width)
        ahead_N = ahead_N + rng.uniform(-0.03, 0.03, len(ahead_N))
    by_region = stage.by_region and manner.order != ALLA_PRIMA
    sequence_K = np.arange(len(turns.group_K)) * by_region + len(turns.group_K) * turns.group_K
    strokes = strokes.take(np.lexsort((ahead_N, sequence_K[strokes.label_N])))
    sequence_N, group_N = sequence_K[strokes.label_N], turns.group_K[strokes.label_N]
    # The time of a region is proportional to the square root of its number of strokes, so that the
    # painting of a small region is visible.
    step_N = 1 / np.sqrt(np.bincount(sequence_N)[sequence_N])
    total_G = np.bincount(group_N, step_N, minlength=len(turns.window_G2))
    before_G = np.cumsum(total_G) - total_G
    done_N = np.cumsum(step_N) - step_N - before_G[group_N]
    begin_N, end_N = turns.window_G2[group_N].T
    strokes.time_N = begin_N + (end_N - begin_N) * 0.95 * done_N / total_G[group_N]
    return strokes
