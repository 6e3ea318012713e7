"""Where a stage's strokes go, in which colour and in which order."""

import numpy as np

from painting_jax.data.painter.guides import LUMA, Guides, blur
from painting_jax.data.painter.manner import SCALES, Manner, advance
from painting_jax.data.painter.strokes import Strokes
from painting_jax.media import Medium, Stage


def plan(
    stage: Stage,
    start: float,
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
    place = {"contours": contours, "construction": construction, "strokes": lattice}[stage.marks]
    strokes = place(stage, SCALES[manner.scale], guides, rng)
    paint_HWC = None
    if stage.marks == "strokes":
        ground_C = np.array(medium.grounds[manner.ground], np.float32)
        wide = strokes.width_N[0]
        paint_HWC, gain_HW = mixed(stage, wide, medium, ground_C, guides, canvas_HWC)
        strokes = _worthwhile(strokes, stage, gain_HW, guides)
        strokes.colour_NC = _at(paint_HWC, strokes.y_N, strokes.x_N)
        uneven_N1 = rng.normal(0, medium.jitter, (len(strokes), 1)).astype(np.float32)
        strokes.colour_NC = np.clip(strokes.colour_NC + uneven_N1, 0, 1)
    else:
        strokes.colour_NC = 1 - strokes.colour_NC * (1 - np.array(medium.line, np.float32))
    if stage.marks != "construction":
        strokes = _ordered(strokes, stage, manner, guides, rng)
    strokes.time_N = start + (stage.until - start) * 0.95 * strokes.time_N
    return strokes, paint_HWC if stage.flowing else None


def lattice(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """Strokes on a jittered brick lattice, turned to the stage's angle."""
    height, width = guides.labels_HW.shape
    wide = max(stage.width * scale * guides.unit, 0.8)
    long = max(stage.length * scale * guides.unit, 1.5 * wide)
    along, across = 0.8 * long, stage.gap * wide
    # Strokes that turn need a lattice as dense both ways.
    square = np.sqrt(along * across)
    along, across = (side + stage.follow * (square - side) for side in (along, across))
    reach = np.hypot(height, width) / 2
    u, v = np.meshgrid(
        np.arange(-np.ceil(reach / along) - 1, np.ceil(reach / along) + 2),
        np.arange(-np.ceil(reach / across), np.ceil(reach / across) + 1),
    )
    u = (u + 0.5 * (v % 2)).ravel() + rng.uniform(-0.25, 0.25, u.size)
    v = v.ravel() + rng.uniform(-0.08, 0.08, v.size)
    turn = np.deg2rad(stage.angle)
    y_N = height / 2 + np.sin(turn) * u * along + np.cos(turn) * v * across
    x_N = width / 2 + np.cos(turn) * u * along - np.sin(turn) * v * across
    slack = 0.3 * long
    near_N = (y_N > -slack) & (y_N < height + slack) & (x_N > -slack) & (x_N < width + slack)
    y_N, x_N = y_N[near_N], x_N[near_N]
    angle_N = np.full(len(y_N), turn)
    bend_N = np.zeros(len(y_N))
    if stage.follow:
        angle_N, bend_N = _along_forms(y_N, x_N, angle_N, long, stage.follow, guides)
    angle_N = angle_N + rng.normal(0, 0.06, len(y_N))
    size_N = rng.uniform(0.85, 1.15, len(y_N))
    return _strokes(y_N, x_N, angle_N, bend_N, long * size_N, np.full(len(y_N), wide), guides)


def contours(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """Strokes along the strongest edges, at most one in each cell of a grid."""
    wide, long = max(stage.width * guides.unit, 0.7), stage.length * scale**0.5 * guides.unit
    height, width = guides.labels_HW.shape
    cell = max(2, round(0.4 * long))
    rows, columns = -(-height // cell), -(-width // cell)
    padded_HW = np.zeros((rows * cell, columns * cell), np.float32)
    padded_HW[:height, :width] = guides.edge_HW
    cells_NP = padded_HW.reshape(rows, cell, columns, cell).swapaxes(1, 2).reshape(-1, cell * cell)
    best_N = cells_NP.argmax(1)
    strength_N = cells_NP.max(1)
    corner_y, corner_x = np.divmod(np.arange(rows * columns), columns)
    y_N, x_N = corner_y * cell + best_N // cell, corner_x * cell + best_N % cell
    keep_N = strength_N > max(0.3, np.quantile(strength_N, 1 - stage.share))
    y_N, x_N, strength_N = y_N[keep_N], x_N[keep_N], strength_N[keep_N]
    angle_N, bend_N = _along_forms(y_N, x_N, np.zeros(len(y_N)), long, 1.0, guides)
    length_N = long * rng.uniform(0.8, 1.2, len(y_N))
    strokes = _strokes(y_N, x_N, angle_N, bend_N, length_N, np.full(len(y_N), wide), guides)
    strokes.colour_NC = (stage.strength * np.clip(0.4 + 0.7 * strength_N, 0, 1))[:, None]
    return strokes


def construction(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """Loomis' head around the foreground segment: ball, face plane, guide lines, jaw; in turn."""
    cy, cx, radius = _head(guides)

    def arc(y, x, tall, broad, first=0.0, last=360.0):
        turn = np.deg2rad(np.linspace(first, last, 48))
        return np.stack([y + tall * np.sin(turn), x + broad * np.cos(turn)])

    def line(*points):
        knots = np.linspace(0, 1, len(points))
        at = np.linspace(0, 1, 32)
        return np.stack([np.interp(at, knots, side) for side in zip(*points, strict=True)])

    lines = (
        arc(0, 0, 1, 1),
        arc(0.05, -0.62, 0.62, 0.3),
        arc(0, 0, 0.22, 1, 0, 180),
        arc(0, 0.1, 1, 0.22, -90, 90),
        line((1, 0.1), (1.6, 0.12)),
        line((0.2, 0.98), (1.0, 0.78), (1.6, 0.34), (1.6, -0.12), (1.05, -0.66), (0.6, -0.72)),
        line((0.85, -0.3), (0.82, 0.45)),
        line((1.6, -0.25), (1.6, 0.45)),
    )
    paths = [np.diff(path, axis=1) for path in lines]
    middles = [(path[:, 1:] + path[:, :-1]) / 2 for path in lines]
    dy_N, dx_N = np.concatenate(paths, 1)
    y_N, x_N = np.concatenate(middles, 1)
    length_N = 1.6 * radius * np.hypot(dy_N, dx_N)
    wide = max(stage.width * guides.unit, 0.7)
    strokes = _strokes(
        cy + radius * y_N,
        cx + radius * x_N,
        np.arctan2(dy_N, dx_N),
        np.zeros(len(y_N)),
        length_N,
        np.full(len(y_N), wide),
        guides,
    )
    strokes.colour_NC = np.full((len(y_N), 1), stage.strength)
    strokes.time_N = np.linspace(0, 1, len(y_N), endpoint=False)
    return strokes


def _head(guides: Guides) -> tuple[float, float, float]:
    """Centre and radius of the ball: on the nearest segment that fills the upper middle."""
    labels_HW = guides.labels_HW
    height, width = labels_HW.shape
    y_HW, x_HW = np.mgrid[:height, :width]
    off_HW = np.hypot((y_HW / height - 0.4) / 0.25, (x_HW / width - 0.5) / 0.2)
    here_K = np.bincount(labels_HW.ravel(), np.exp(-(off_HW**2)).ravel())
    area_K = np.maximum(np.bincount(labels_HW.ravel()), 1)
    label = int((np.arange(len(area_K)) * here_K / np.sqrt(area_K)).argmax())
    y_P, x_P = np.nonzero(labels_HW == label)
    side = min(height, width)
    radius = np.clip(0.9 * np.sqrt(len(y_P) / np.pi), 0.16 * side, 0.3 * side)
    cy = np.clip(np.median(y_P), 1.1 * radius, max(height - 1.7 * radius, 1.1 * radius))
    return cy, np.clip(np.median(x_P), 1.1 * radius, width - 1.1 * radius), radius


def _strokes(y_N, x_N, angle_N, bend_N, length_N, width_N, guides: Guides) -> Strokes:
    label_N = _at(guides.labels_HW, y_N, x_N)
    colour_NC, time_N = np.zeros((len(y_N), 3), np.float32), np.zeros(len(y_N))
    return Strokes(y_N, x_N, angle_N, bend_N, length_N, width_N, colour_NC, label_N, time_N)


def _at(map_HWx: np.ndarray, y_N: np.ndarray, x_N: np.ndarray) -> np.ndarray:
    """A map's values at the nearest pixels."""
    height, width = map_HWx.shape[:2]
    rows = np.clip(np.rint(y_N), 0, height - 1).astype(int)
    return map_HWx[rows, np.clip(np.rint(x_N), 0, width - 1).astype(int)]


def _along_forms(y_N, x_N, angle_N, long, follow, guides: Guides) -> tuple[np.ndarray, np.ndarray]:
    """Turns strokes towards the picture's forms, as far as these are firm, and bends them."""
    form_N = _at(guides.angle_HW, y_N, x_N)
    trust_N = follow * _at(guides.firm_HW, y_N, x_N)
    # Doubled angles: a stroke has no head.
    angle_N = 0.5 * np.arctan2(
        (1 - trust_N) * np.sin(2 * angle_N) + trust_N * np.sin(2 * form_N),
        (1 - trust_N) * np.cos(2 * angle_N) + trust_N * np.cos(2 * form_N),
    )
    step_y, step_x = 0.4 * long * np.sin(angle_N), 0.4 * long * np.cos(angle_N)
    ahead_N = _at(guides.angle_HW, y_N + step_y, x_N + step_x)
    behind_N = _at(guides.angle_HW, y_N - step_y, x_N - step_x)
    turn_N = 0.5 * np.arctan2(np.sin(2 * (ahead_N - behind_N)), np.cos(2 * (ahead_N - behind_N)))
    return angle_N, trust_N * np.clip(turn_N, -0.8, 0.8) * long / 8


def mixed(
    stage: Stage, wide: float, medium: Medium, ground_C: np.ndarray, guides: Guides, canvas_HWC
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
        paint_HWC = 1 - (1 - through_HWC) / cover
        paint_HWC = paint_HWC.clip(medium.darkest)
        lighter_HWC = 1 - through_HWC
    paint_HWC = np.broadcast_to(paint_HWC.clip(0, 1), canvas_HWC.shape)
    return paint_HWC, lighter_HWC.mean(-1)


def _worthwhile(strokes: Strokes, stage: Stage, gain_HW: np.ndarray, guides: Guides) -> Strokes:
    """The share of strokes that gains most; none that gains nothing to speak of."""
    gain_N = _at(gain_HW, strokes.y_N, strokes.x_N)
    least = 0.01
    if stage.accents:
        luma_HW = guides.target_HWC @ LUMA
        gain_N = gain_N * np.abs(_at(luma_HW, strokes.y_N, strokes.x_N) - luma_HW.mean())
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
