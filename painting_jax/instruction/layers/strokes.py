"""The strokes of the stroke painter as lines of one width and one colour each, in painted order.

In a pass of the painter each pixel belongs to one stroke. A line is as long and as wide as what is
seen of its stroke, and has the mean of the colours that the stroke left. So what varies within a
stroke is not carried: pressure, colours that flow, bristles, the tooth of the ground, wet edges.
"""

import dataclasses

import numpy as np

from painting_jax.data.painter import Pass


@dataclasses.dataclass(frozen=True)
class Lines:
    """N quadratic curves, in pixels of the picture.

    Attributes:
      points_N32: Beginning, control point and end of each, as x and y.
      width_N: Their widths.
      colour_NC: Their colours, float 0..1.
      opacity_N: Their opacities, 0..1.
      label_N: Segments that they belong to.
    """

    points_N32: np.ndarray
    width_N: np.ndarray
    colour_NC: np.ndarray
    opacity_N: np.ndarray
    label_N: np.ndarray

    def __len__(self) -> int:
        return len(self.width_N)

    def take(self, index: np.ndarray) -> "Lines":
        """The lines at `index`, in that order."""
        return Lines(*(getattr(self, f.name)[index] for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Group:
    """Lines that were laid in one pass and in one turn of it.

    Attributes:
      name: What they are: the kind of mark, and how it blends.
      begins: Progress at which the turn begins.
      is_glaze: Whether the colours are multiplied with what is below. Where lines of a group cross
        they do so once.
      labels_HW: Segments whose borders the lines do not cross, uint8; None if they do.
      lines: The lines.
    """

    name: str
    begins: float
    is_glaze: bool
    labels_HW: np.ndarray | None
    lines: Lines


class Recorder:
    """Watches the painter (`painter.paint(watch=...)`) and keeps what is seen of its strokes."""

    def __init__(self) -> None:
        self._groups: list[Group] = []
        self.ground_C = np.ones(3)
        self.unseen = 0

    def __call__(self, laid: Pass) -> None:
        """Takes a pass of the painter."""
        self.ground_C = laid.ground_C
        lines, stage = _seen(laid), laid.stage
        self.unseen += len(laid.strokes) - len(lines)
        # The painter clips all strokes; only these lie region by region.
        is_clipped = stage.marks == "strokes" and stage.by_region and stage.blend != "lift"
        turn_N = laid.turns.group_K[lines.label_N]
        for turn in np.unique(turn_N):
            group = Group(
                name=f"{stage.marks}, {stage.blend}",
                begins=float(laid.turns.window_G2[turn, 0]),
                is_glaze=stage.blend == "glaze",
                labels_HW=laid.labels_HW if is_clipped else None,
                lines=lines.take(np.flatnonzero(turn_N == turn)),
            )
            self._groups.append(group)

    def __len__(self) -> int:
        """How many lines there are."""
        return sum(len(group.lines) for group in self._groups)

    @property
    def groups(self) -> list[Group]:
        """The groups in painted order."""
        return sorted(self._groups, key=lambda group: group.begins)


def _seen(laid: Pass) -> Lines:
    """The lines that stand for the strokes of which anything is seen."""
    marks, pixel = laid.marks, 1 / laid.scale
    shown_S, stroke_P, count_S = np.unique(marks.stroke_P, return_inverse=True, return_counts=True)
    strokes = laid.strokes.take(shown_S)
    before_SC, after_SC = (
        _means(canvas_YXC[marks.touched_HW], stroke_P, count_S)
        for canvas_YXC in (laid.before_YXC, laid.after_YXC)
    )
    (first_S, last_S), (left_S, right_S) = (
        _extent(at_P, stroke_P, count_S) for at_P in (marks.along_P, marks.across_P)
    )
    # Pixels have an extent, too: half of it at either side.
    half_S, aside_S = strokes.length_N / 2, strokes.width_N * (left_S + right_S) / 4
    ends = first_S * half_S - pixel / 2, last_S * half_S + pixel / 2
    middle_S = (ends[0] + ends[1]) / 2
    # A part of a parabola is one, too; its control point is where the tangents of its ends meet.
    bends = (strokes.bend_N * part_S for part_S in (first_S**2, first_S * last_S, last_S**2))
    cos_S, sin_S = np.cos(strokes.angle_N), np.sin(strokes.angle_N)
    points = [
        (
            strokes.x_N + 0.5 + cos_S * along_S - sin_S * (bend_S + aside_S),
            strokes.y_N + 0.5 + sin_S * along_S + cos_S * (bend_S + aside_S),
        )
        for along_S, bend_S in zip((ends[0], middle_S, ends[1]), bends, strict=True)
    ]
    colour_SC, opacity_S = _paint(laid, before_SC, after_SC)
    return Lines(
        points_N32=np.stack(points).transpose(2, 0, 1),
        width_N=strokes.width_N * (right_S - left_S) / 2 + pixel,
        colour_NC=colour_SC.clip(0, 1),
        opacity_N=opacity_S,
        label_N=strokes.label_N,
    )


def _paint(
    laid: Pass, before_SC: np.ndarray, after_SC: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colours and opacities that make of the mean colours before a pass those after it."""
    opaque_S = np.ones(len(after_SC))
    if laid.stage.blend == "glaze":
        return after_SC / np.maximum(before_SC, 1e-3), opaque_S
    if laid.stage.blend == "cover":
        return after_SC, opaque_S
    # An eraser takes a share of the paint away, down to the ground.
    way_S = np.maximum((laid.ground_C - before_SC).sum(1), 0.02)
    opacity_S = ((after_SC - before_SC).sum(1) / way_S).clip(0, 1)
    return np.broadcast_to(laid.ground_C, after_SC.shape), opacity_S


def _means(colour_PC: np.ndarray, stroke_P: np.ndarray, count_S: np.ndarray) -> np.ndarray:
    sums = [np.bincount(stroke_P, colour_P, len(count_S)) for colour_P in colour_PC.T]
    return np.stack(sums, 1) / count_S[:, None]


def _extent(
    at_P: np.ndarray, stroke_P: np.ndarray, count_S: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least and most of a position over the pixels of each stroke."""
    if len(count_S) == 0:
        return np.zeros(0), np.zeros(0)
    sorted_P = at_P[np.argsort(stroke_P, kind="stable")]
    starts_S = np.cumsum(count_S) - count_S
    return np.minimum.reduceat(sorted_P, starts_S), np.maximum.reduceat(sorted_P, starts_S)
