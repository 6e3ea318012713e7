"""Borders joined into long smooth strokes, as a hand would draw them past each other."""

import dataclasses
import itertools

import numpy as np
from scipy import ndimage

from painting_jax.instruction.outline.cracks import Arc

_LOOK = 8  # corners from a junction that say where an arc goes
_STRAIGHT = -0.5  # cosine between two arcs that are one stroke, at most: a turn of 60 degrees


@dataclasses.dataclass(frozen=True)
class Stroke:
    """A smooth way through the map.

    Attributes:
      xy_P2: Points, about a pixel apart; the first is the last in a closed stroke.
      stops: Places in `xy_P2` at which other strokes end, ascending.
      closed: Whether it ends where it begins, without a corner.
    """

    xy_P2: np.ndarray
    stops: tuple[int, ...]
    closed: bool


@dataclasses.dataclass
class _Chain:
    """Arcs in a row; `joints` are the places of the junctions it passes, with their numbers."""

    xy_P2: np.ndarray
    joints: dict[int, int]
    ends: tuple[int, int]
    closed: bool


def strokes(arcs: list[Arc], sigma: float) -> list[Stroke]:
    """Joins arcs that go on straight at a junction, and takes the steps out of them.

    Every arc is in one stroke. A stroke that ends at another one ends on it.

    Args:
      arcs: See `cracks`.
      sigma: Blur along the way, in pixels.
    """
    chains = _chains(arcs, _partners(arcs))
    smooth = [smoothed(chain.xy_P2, sigma, chain.closed) for chain in chains]
    # Moving an end moves what is near it, where a third stroke may end.
    for _ in range(3):
        place_J = {
            junction: xy_P2[at]
            for chain, xy_P2 in zip(chains, smooth, strict=True)
            for at, junction in chain.joints.items()
        }
        for chain, xy_P2 in zip(chains, smooth, strict=True):
            if not chain.closed:
                _move_end(xy_P2, place_J.get(chain.ends[0]), 4 * sigma)
                _move_end(xy_P2[::-1], place_J.get(chain.ends[1]), 4 * sigma)
    return [
        Stroke(xy_P2, tuple(sorted(chain.joints)), chain.closed)
        for chain, xy_P2 in zip(chains, smooth, strict=True)
    ]


def _partners(arcs: list[Arc]) -> dict[tuple[int, int], tuple[int, int]]:
    """The end (arc, 0 or 1) at which the way goes on from each end, where one goes on."""
    arms: dict[int, list[tuple[tuple[int, int], np.ndarray]]] = {}
    for index, arc in enumerate(arcs):
        for side, junction in enumerate(arc.ends):
            if junction >= 0:
                way_P2 = arc.xy_P2[:: 1 - 2 * side][: _LOOK + 1]
                ahead = way_P2[-1] - way_P2[0]
                # A loop that has come back already says nothing.
                ahead = ahead / max(np.hypot(*ahead), 1e-9)
                arms.setdefault(junction, []).append(((index, side), ahead))
    partner: dict[tuple[int, int], tuple[int, int]] = {}
    for there in arms.values():
        pairs = sorted(
            (float(one_2 @ other_2), one, other)
            for (one, one_2), (other, other_2) in itertools.combinations(there, 2)
        )
        for cosine, one, other in pairs:
            if cosine < _STRAIGHT and one not in partner and other not in partner:
                partner[one], partner[other] = other, one
    return partner


def _chains(arcs: list[Arc], partner: dict[tuple[int, int], tuple[int, int]]) -> list[_Chain]:
    chains, used = [], set()

    def walked(index: int, side: int) -> _Chain:
        """The chain that begins at this side of the arc."""
        ways, joints, length = [], {}, 0
        begin = arcs[index].ends[side]
        while True:
            used.add(index)
            way_P2 = arcs[index].xy_P2[:: 1 - 2 * side]
            ways.append(way_P2 if not ways else way_P2[1:])
            length += len(way_P2) - 1
            end = arcs[index].ends[1 - side]
            ahead = partner.get((index, 1 - side))
            if ahead is None or ahead[0] in used:
                closed = end == -1 or ahead is not None
                if ahead is not None:
                    joints[0] = end
                return _Chain(np.concatenate(ways), joints, (begin, end), closed)
            joints[length] = end
            index, side = ahead

    for index, arc in enumerate(arcs):
        for side in (0, 1):
            if index not in used and arc.ends[side] >= 0 and (index, side) not in partner:
                chains.append(walked(index, side))
    # What is left goes round.
    chains.extend(walked(index, 0) for index in range(len(arcs)) if index not in used)
    return chains


def smoothed(xy_P2: np.ndarray, sigma: float, closed: bool) -> np.ndarray:
    if closed:
        smooth_P2 = ndimage.gaussian_filter1d(xy_P2[:-1], sigma, axis=0, mode="wrap")
        return np.concatenate([smooth_P2, smooth_P2[:1]])
    # Turned about its ends, the line goes on through them, so that they stay.
    reach = int(4 * sigma + 0.5)
    longer_P2 = np.pad(xy_P2, ((reach, reach), (0, 0)), "reflect", reflect_type="odd")
    return ndimage.gaussian_filter1d(longer_P2, sigma, axis=0)[reach:-reach]


def _move_end(xy_P2: np.ndarray, to_2: np.ndarray | None, reach: float) -> None:
    """Moves the first point of a line to a place, and those after it a little less each."""
    if to_2 is None:
        return
    by_2 = to_2 - xy_P2[0]
    share_P = np.clip(1 - np.arange(len(xy_P2)) / min(reach, len(xy_P2) - 1), 0, 1)
    xy_P2 += share_P[:, None] * by_2
