"""A brush or a pencil in a hand: a strip between two parallel edges, from end to end."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float

# As shares of the longer side of the picture:
_SHORTEST = 0.03  # edge
_THINNEST, _THICKEST = 0.006, 0.05  # tool
_NEAR = 0.03  # from the end of an edge to the hand

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
        if _leads_into(strip, lab_HWC, hand_HW)
    ]
    found = [
        (*_extent(strip, lab_HWC, hand_HW), strip)
        for strip in strips
        if _leads_into(strip, lab_HWC, hand_HW)
    ]
    free, first, last, best = max(found, key=lambda one: one[0], default=(0, 0.0, 0.0, None))
    # A strip that lies beside the hand all along is the gap between it and something else.
    if free >= _SHORTEST * max(hand_HW.shape):
        half = 0.5 * _WIDER * best.width + 1
        corners_42 = best.points(np.array([first, last]), np.array([-half, half])).reshape(4, 2)
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
    is_long_N = lengths_N >= _SHORTEST * side
    ends_N22, lengths_N = ends_N22[is_long_N], lengths_N[is_long_N]
    along_N2 = ways_N2[is_long_N] / lengths_N[:, None]
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


def _leads_into(strip: _Strip, lab_HWC: np.ndarray, hand_HW: np.ndarray) -> bool:
    """Whether a strip is none of the hand, stands out, and leads into the hand."""
    along_N = np.arange(-strip.length / 2, strip.length / 2 + 1)
    inside_N, left_N, right_N, hands_N3 = _profile(strip, along_N, lab_HWC, hand_HW)
    if hands_N3[:, 0].mean() > 1 - _MOSTLY:
        return False
    stands_out_N = (_apart(inside_N, left_N) > _STANDS_OUT) & (
        _apart(inside_N, right_N) > _STANDS_OUT
    )
    if stands_out_N.mean() < _MOSTLY:
        return False
    # A hand holds it: the strip goes on into the hand, for more than its own width.
    reach = strip.length / 2 + _NEAR * max(hand_HW.shape) + strip.width
    beyond_N = np.arange(strip.length / 2, reach + 1)
    for beyond in (beyond_N, -beyond_N):
        in_hand_N = _profile(strip, beyond, lab_HWC, hand_HW)[3][:, 0]
        if in_hand_N.sum() > strip.width / 2:
            return True
    return False


def _extent(
    strip: _Strip, lab_HWC: np.ndarray, hand_HW: np.ndarray
) -> tuple[int, float, float]:
    """How many pixels of a tool lie free, and how far it goes in both directions.

    It goes on beyond the hand.
    """
    far, free = sum(hand_HW.shape), 0
    ends = []
    for sign in (-1, 1):
        along_N = sign * np.arange(far)
        inside_N, left_N, right_N, hands_N3 = _profile(strip, along_N, lab_HWC, hand_HW)
        on_N = (hands_N3[:, 1] | (_apart(inside_N, left_N) > _GOES_ON)) & (
            hands_N3[:, 2] | (_apart(inside_N, right_N) > _GOES_ON)
        )
        on_N &= ~hands_N3[:, 0] & _is_within(strip, along_N, hand_HW.shape)
        last, missed = 0, 0
        for at in range(far):
            missed = 0 if on_N[at] or hands_N3[at, 0] else missed + 1
            if on_N[at]:
                last = at
                free += not hands_N3[at].any()
            if missed > max(2, _GAP * strip.width):
                break
        ends.append(sign * float(last + 1))
    return free, ends[0], ends[1]


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
    return ((points_N2 >= 0) & (points_N2 < np.array(shape)[::-1])).all(1)


def _looked_up(points_NM2: np.ndarray, values_HW: np.ndarray) -> np.ndarray:
    """Values at points (x, y); beyond the border are those at it."""
    height, width = values_HW.shape[:2]
    x, y = np.moveaxis(np.rint(points_NM2).astype(int), -1, 0)
    return values_HW[y.clip(0, height - 1), x.clip(0, width - 1)]


def _apart(one_NC: np.ndarray, other_NC: np.ndarray) -> np.ndarray:
    return np.linalg.norm(one_NC - other_NC, axis=-1)
