"""The steps of a process, cut where the way of painting changes.

Within a stage of a painting, marks are made in one manner, and each place is painted once. So the
cuts are those between which the manner varies least and the fewest places are painted again: a
change-point problem, solved exactly by dynamic programming (Truong et al. 2020, arXiv 1801.00718).
"""

import dataclasses
import itertools

import numpy as np

from painting_jax.instruction.changes import Changes

FEWEST, MOST = 5, 10

_AGAIN = 10.0  # cost of painting all of the canvas again, beside the variation of the manner,
_EACH = 0.6  # and of a further step
_SHORTEST = 0.025  # of a step, as a share of the process: less is a frame between two stages


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of a process.

    Attributes:
      first: Index of the frame before it.
      last: Index of the frame that shows it finished.
    """

    first: int
    last: int


def cut(changes: Changes) -> list[Step]:
    """The 5 to 10 steps of a process, or as many as it has changes if it has fewer."""
    cost_MM = _costs(changes)
    moments = len(cost_MM)
    most = min(MOST, moments - 1)
    least_KM, from_KM = _best(cost_MM, most)
    counts = range(min(FEWEST, most), most + 1)
    count = min(counts, key=lambda k: least_KM[k, -1] + _EACH * k)
    ends = [moments - 1]
    for k in range(count, 0, -1):
        ends.append(int(from_KM[k, ends[-1]]))
    frames = [int(changes.frames_M[end]) for end in reversed(ends)]
    return [Step(first, last) for first, last in itertools.pairwise(frames)]


def _costs(changes: Changes) -> np.ndarray:
    """What a step from one moment to another costs: float[M, M], infinite if it is too short."""
    manner_NF = changes.manner_NF
    count = len(manner_NF)
    sum_MF = np.vstack([np.zeros(manner_NF.shape[1]), np.cumsum(manner_NF, 0)])
    square_M = np.concatenate([[0], np.cumsum(np.square(manner_NF).sum(1))])
    cost_MM = np.full((count + 1, count + 1), np.inf)
    painted_NP = changes.painted_NHW.reshape(count, -1)
    shortest = max(1, round(_SHORTEST * count))
    for begin in range(count - shortest + 1):
        end = np.arange(begin + shortest, count + 1)
        sum_EF = sum_MF[end] - sum_MF[begin]
        varied_E = square_M[end] - square_M[begin] - np.square(sum_EF).sum(1) / (end - begin)
        times_EP = np.cumsum(painted_NP[begin:], axis=0, dtype=np.int16)
        times_EP = times_EP[shortest - 1 :]
        again_E = np.maximum(times_EP - 1, 0).mean(1)
        cost_MM[begin, end] = varied_E + _AGAIN * again_E
    return cost_MM


def _best(cost_MM: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The least cost of k steps up to each moment, and where the last one begins: [K + 1, M]."""
    moments = len(cost_MM)
    least_KM = np.full((most + 1, moments), np.inf)
    from_KM = np.zeros((most + 1, moments), int)
    least_KM[0, 0] = 0
    for k in range(1, most + 1):
        total_MM = least_KM[k - 1][:, None] + cost_MM
        from_KM[k], least_KM[k] = total_MM.argmin(0), total_MM.min(0)
    return least_KM, from_KM
