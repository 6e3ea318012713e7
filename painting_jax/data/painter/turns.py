"""When each region is worked on in each stage: the order of painting, in depth or all at once."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from painting_jax.data.painter.manner import LAYERED, SECTIONAL
from painting_jax.data.painter.stages import masses
from painting_jax.data.painter.strokes import Stamp, Strokes
from painting_jax.media import Stage

_LAYERS = 3  # number of layers in depth, at most


@dataclasses.dataclass(frozen=True)
class Turns:
    """The turns of a stage.

    Attributes:
      group_K: Group of each label, int[K + 1]; the groups are painted one after the other.
      window_G2: Progress at which each group's turn begins and ends.
    """

    group_K: np.ndarray
    window_G2: np.ndarray


def turns(stages: Sequence[Stage], order: str, labels_HW: np.ndarray) -> list[Turns]:
    """Divides the time of stages among regions.

    In layers and by sections, all stages of colour but the last are painted for one group of
    regions before the next group begins. The time of a group grows with the square root of its
    regions' areas, so that the painting of small ones is visible.

    Args:
      stages: Stages of the medium.
      order: One of `manner.ORDERS`.
      labels_HW: uint8 labels 1..K in painting order.
    """
    starts = [0.0, *(stage.until for stage in stages)]
    spans = np.stack([starts[:-1], starts[1:]], 1)
    area_K = np.bincount(labels_HW.ravel())
    whole = [Turns(np.zeros(len(area_K), int), span[None]) for span in spans]
    parts = _in_parts(stages)
    if order not in (LAYERED, SECTIONAL) or not parts:
        return whole
    weight_K = np.sqrt(area_K) * (np.arange(len(area_K)) > 0)
    group_K = np.maximum(np.cumsum(weight_K > 0) - 1, 0)
    if order == LAYERED:
        middle_K = np.cumsum(weight_K) - weight_K / 2
        group_K = np.minimum((_LAYERS * middle_K / weight_K.sum()).astype(int), _LAYERS - 1)
        group_K = np.unique(group_K, return_inverse=True)[1]
    share_G = np.bincount(group_K, weight_K) / weight_K.sum()
    end_G = np.cumsum(share_G)
    first, last = spans[parts[0], 0], spans[parts[-1], 1]
    for i in parts:
        inner_2 = (spans[i] - first) / (last - first)
        window_G2 = (end_G - share_G)[:, None] + share_G[:, None] * inner_2
        whole[i] = Turns(group_K, first + (last - first) * window_G2)
    return whole


def _in_parts(stages: Sequence[Stage]) -> range:
    """Indices of the stages that are painted group by group: the masses and what follows.

    The last stage pulls the picture together, and lines and erasers go over all of it.
    """
    first = masses(stages)
    begin = next((i for i, stage in enumerate(stages) if stage is first), len(stages))
    end = begin
    while end < len(stages) - 1 and stages[end].marks == "strokes" and stages[end].blend != "lift":
        end += 1
    return range(begin, end)


def due(strokes: Strokes, stamp: Stamp, turns: Turns) -> np.ndarray:
    """Progress at which each pixel is painted; a stroke takes 1/25 of the turn of its region.

    Returns:
      float32[H, W], infinite where no stroke is.
    """
    span_N = np.ptp(turns.window_G2, axis=1)[turns.group_K[strokes.label_N]]
    due_YX = np.full(stamp.touched_HW.shape, np.inf, np.float32)
    time_P = strokes.time_N[stamp.stroke_P]
    due_YX[stamp.touched_HW] = time_P + 0.02 * span_N[stamp.stroke_P] * (stamp.along_P + 1)
    return due_YX
