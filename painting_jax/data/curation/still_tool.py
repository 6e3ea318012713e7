"""A brush or a pencil in a hand: a strip between two parallel edges, from end to end."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float

# As shares of the longer side of the picture:
_SHORTEST = 0.03  # edge
_THINNEST, _THICKEST = 0.006, 0.035  # tool

_MOST_EDGES = 200
_PARALLEL = 8.0  # degrees
_TURNS = 6.0  # degrees by which an edge that was found may be off
_OVERLAP = 0.6  # of the shorter edge
_STANDS_OUT = 10.0  # difference in CIELAB of a tool from what lies beside it
_GOES_ON = 7.0  # and of its other parts, such as bristles on paper
_GAP = 0.6  # of its width, over which it goes on
_MOSTLY = 0.6  # share of samples
_WIDER = 1.3  # a brush is wider than its handle


@dataclasses.dataclass(frozen=True)
class _Strip:
    """Two parallel edges.

    Attributes:
      middle_2: A point halfway between them, (x, y).
      along_2: Direction, of length 1.
      width: Distance of the edges in pixels.
      length: Pixels along which both are seen.
    """

    middle_2: np.ndarray
    along_2: np.ndarray
    width: float
    length: float

    def points(self, along_N: np.ndarray, across_M: np.ndarray) -> np.ndarray:
        """Points at distances from its middle: float[N, M, 2]."""
        normal_2 = np.array([-self.along_2[1], self.along_2[0]])
        return (
            self.middle_2
            + along_N[:, None, None] * self.along_2
            + across_M[None, :, None] * normal_2
        )


@dataclasses.dataclass(frozen=True)
class _Followed:
    """A strip with all that continues it.

    Attributes:
      strip: The strip.
      ends: Where it ends, from the strip's middle along it, in pixels.
      free: Pixels of it that lie free, before the hand and behind it.
      held: Pixels of it that the hand covers or encloses.
    """

    strip: _Strip
    ends: tuple[float, float]
    free: tuple[int, int]
    held: int


def tool(
    lab_HWC: Float[np.ndarray, "h w 3"], hand_HW: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Where a tool in a hand lies, as far as it is seen.

    Args:
      lab_HWC: float32 CIELAB, of a picture of about 640 pixels.
      hand_HW: The hand.
    """
    tool_HW = np.zeros(hand_HW.shape, np.uint8)
    strips = [
        _fitted(strip, lab_HWC)
        for strip in _strips(lab_HWC, hand_HW)
        if _stands_out(strip, lab_HWC, hand_HW)
    ]
    found = [
        _followed(strip, lab_HWC, hand_HW)
        for strip in strips
        if _stands_out(strip, lab_HWC, hand_HW)
    ]
    held = [one for one in found if _is_held(one, max(hand_HW.shape))]
    if held:
        # Most tools are seen on both sides of the fingers, and a stroke of paint on one.
        best = max(held, key=lambda one: sum(one.free) + 2 * min(one.free))
        half = 0.5 * _WIDER * best.strip.width + 1
        corners_42 = best.strip.points(np.array(best.ends), np.array([-half, half])).reshape(4, 2)
        cv2.fillConvexPoly(tool_HW, np.rint(corners_42[[0, 1, 3, 2]]).astype(np.int32), 1)
    return tool_HW > 0


def _strips(lab_HWC: np.ndarray, hand_HW: np.ndarray) -> list[_Strip]:
    """Pairs of edges as far apart as a tool is thick."""
    side = max(hand_HW.shape)
    light_HW = np.clip(lab_HWC[..., 0] * 2.55, 0, 255).astype(np.uint8)
    lines = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(light_HW)[0]
    if lines is None:
        return []
    ends_N22 = lines.reshape(-1, 2, 2).astype(float)
    ways_N2 = ends_N22[:, 1] - ends_N22[:, 0]
    lengths_N = np.linalg.norm(ways_N2, axis=1)
    # The longest of them: a hatched drawing has thousands, and pairs are many more.
    longest_M = np.argsort(-lengths_N)[:_MOST_EDGES]
    longest_M = longest_M[lengths_N[longest_M] >= _SHORTEST * side]
    ends_N22, lengths_N = ends_N22[longest_M], lengths_N[longest_M]
    along_N2 = ways_N2[longest_M] / lengths_N[:, None]
    turns_NN = np.abs(along_N2 @ along_N2.T)
    found = []
    for i, j in zip(*np.nonzero(np.triu(turns_NN > np.cos(np.radians(_PARALLEL)), 1)), strict=True):
        sign = np.sign(along_N2[i] @ along_N2[j])
        along_2 = lengths_N[i] * along_N2[i] + sign * lengths_N[j] * along_N2[j]
        along_2 /= np.linalg.norm(along_2)
        normal_2 = np.array([-along_2[1], along_2[0]])
        across_22 = np.stack([ends_N22[i], ends_N22[j]]) @ normal_2
        width = abs(across_22[0].mean() - across_22[1].mean())
        spans_22 = np.sort(np.stack([ends_N22[i], ends_N22[j]]) @ along_2)
        begin, end = spans_22[:, 0].max(), spans_22[:, 1].min()
        if (
            _THINNEST * side <= width <= _THICKEST * side
            and end - begin >= _OVERLAP * min(lengths_N[i], lengths_N[j])
            and end - begin >= width
        ):
            middle_2 = (begin + end) / 2 * along_2 + across_22.mean() * normal_2
            found.append(_Strip(middle_2, along_2, width, end - begin))
    return found


def _fitted(strip: _Strip, lab_HWC: np.ndarray) -> _Strip:
    """The strip between the strongest edges on either side of its middle, of all directions near.

    A tool that is round has a highlight, and an edge of it is soon taken for its own.
    """
    most = _THICKEST * max(lab_HWC.shape[:2])
    along_N = np.arange(-strip.length / 2, strip.length / 2 + 1)
    across_M = np.arange(-np.ceil(most), np.ceil(most) + 1)
    best, strongest = strip, 0.0
    for turn in np.radians(np.arange(-_TURNS, _TURNS + 1, 1.5)):
        cos, sin = np.cos(turn), np.sin(turn)
        along_2 = np.array([[cos, -sin], [sin, cos]]) @ strip.along_2
        turned = dataclasses.replace(strip, along_2=along_2)
        colours_NMC = _looked_up(turned.points(along_N, across_M), lab_HWC)
        # The mean first: what does not lie along the strip is no edge of it.
        means_MC = colours_NMC.mean(0)
        edges_M = np.pad(_apart(means_MC[2:], means_MC[:-2]), 1)
        middle = len(across_M) // 2
        pairs_LR = edges_M[:middle, None] + edges_M[middle + 1 :]
        widths_LR = across_M[middle + 1 :] - across_M[:middle, None]
        is_tool_LR = (widths_LR >= _THINNEST * max(lab_HWC.shape[:2])) & (widths_LR <= most)
        pairs_LR = np.where(is_tool_LR, pairs_LR, 0)
        left, right = np.unravel_index(pairs_LR.argmax(), pairs_LR.shape)
        if pairs_LR[left, right] > strongest:
            strongest = pairs_LR[left, right]
            centre = (across_M[left] + across_M[middle + 1 + right]) / 2
            best = dataclasses.replace(
                turned,
                middle_2=turned.points(np.zeros(1), np.array([centre]))[0, 0],
                width=float(widths_LR[left, right]),
            )
    return best


def _stands_out(strip: _Strip, lab_HWC: np.ndarray, hand_HW: np.ndarray) -> bool:
    """Whether a strip is none of the hand, and has another colour than what lies beside it."""
    along_N = np.arange(-strip.length / 2, strip.length / 2 + 1)
    inside_N, left_N, right_N, hands_N3 = _profile(strip, along_N, lab_HWC, hand_HW)
    if hands_N3[:, 0].mean() > 1 - _MOSTLY:
        return False
    apart_N = np.minimum(_apart(inside_N, left_N), _apart(inside_N, right_N))
    # The same lies on both sides of a tool, unless a finger does: else it is the edge of something.
    alike_N = hands_N3[:, 1:].any(1) | (_apart(left_N, right_N) < apart_N)
    return bool(((apart_N > _STANDS_OUT) & alike_N).mean() >= _MOSTLY)


def _is_held(found: _Followed, side: int) -> bool:
    """Whether a tool is in the hand, and not the gap between it and something else."""
    return found.held >= found.strip.width and sum(found.free) >= _SHORTEST * side


def _followed(strip: _Strip, lab_HWC: np.ndarray, hand_HW: np.ndarray) -> _Followed:
    """A tool as far as it goes in both directions, also beyond the hand."""
    far = sum(hand_HW.shape)
    ends: list[float] = []
    free: list[int] = []
    held: list[int] = []
    for sign in (-1, 1):
        along_N = sign * np.arange(far)
        inside_N, left_N, right_N, hands_N3 = _profile(strip, along_N, lab_HWC, hand_HW)
        within_N = _is_within(strip, along_N, hand_HW.shape)
        hidden_N = hands_N3[:, 0] & within_N
        on_N = (hands_N3[:, 1] | (_apart(inside_N, left_N) > _GOES_ON)) & (
            hands_N3[:, 2] | (_apart(inside_N, right_N) > _GOES_ON)
        )
        on_N &= ~hidden_N & within_N
        free_N = on_N & ~hands_N3.any(1)
        free_N &= _apart(left_N, right_N) < np.maximum(
            _apart(inside_N, left_N), _apart(inside_N, right_N)
        )
        last, missed, stop = 0, 0, 0
        while stop < far and missed <= max(2, _GAP * strip.width):
            missed = 0 if on_N[stop] or hidden_N[stop] else missed + 1
            last = stop if on_N[stop] else last
            stop += 1
        ends.append(sign * float(last + 1))
        free.extend(along_N[:stop][free_N[:stop]])
        held.extend(along_N[:stop][(hidden_N | hands_N3[:, 1:].all(1))[:stop]])
    before = int((np.array(free) < np.mean(held)).sum()) if held else 0
    return _Followed(strip, (ends[0], ends[1]), (before, len(free) - before), len(held))


def _profile(
    strip: _Strip, along_N: np.ndarray, lab_HWC: np.ndarray, hand_HW: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colours within a strip, left of it and right of it, and whether each is of the hand."""
    half = strip.width / 2
    colours, hands = [], []
    beside = np.linspace(1.3 * half + 1, 1.3 * half + 5, 3)
    for across_M in (np.linspace(-0.5 * half, 0.5 * half, 3), -beside, beside):
        points_NM2 = strip.points(along_N, across_M)
        colours.append(np.median(_looked_up(points_NM2, lab_HWC), 1))
        hands.append(_looked_up(points_NM2, hand_HW).mean(1) > 0.5)
    return colours[0], colours[1], colours[2], np.stack(hands, 1)


def _is_within(strip: _Strip, along_N: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    points_N2 = strip.points(along_N, np.zeros(1))[:, 0]
    return np.all((points_N2 >= 0) & (points_N2 < np.array(shape)[::-1]), axis=1)


def _looked_up(points_NM2: np.ndarray, values_HW: np.ndarray) -> np.ndarray:
    """Values at points (x, y); beyond the border are those at it."""
    height, width = values_HW.shape[:2]
    x, y = np.moveaxis(np.rint(points_NM2).astype(int), -1, 0)
    return values_HW[y.clip(0, height - 1), x.clip(0, width - 1)]


def _apart(one_NC: np.ndarray, other_NC: np.ndarray) -> np.ndarray:
    return np.linalg.norm(one_NC - other_NC, axis=-1)
