"""Numbers in the regions of an outline, each where it has most room, or beside it on a line."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from painting_jax.errors import UserError
from painting_jax.instruction.outline.drawing import (
    DIGIT_HEIGHT,
    DIGIT_WIDTH,
    Path,
    Text,
    segment,
)
from painting_jax.instruction.outline.outlines import Outline, Region
from painting_jax.instruction.outline.tidy_regions import depth

LEAST_SIZE = 1.8  # size of the smallest legible number, in mm
_LARGEST_SIZE = 10.0
_AIR = 0.3  # between a number and a line, in mm
_FARTHEST = 15.0  # of a number from the region that it names, in mm
_LONGEST = 12  # letters of a number


@dataclasses.dataclass(frozen=True)
class Numbering:
    """Numbers and the lines to those that stand beside their region.

    Attributes:
      texts: Numbers.
      leaders: Lines from the regions to their numbers.
      left_out: Regions for whose number there is no room near them.
    """

    texts: tuple[Text, ...]
    leaders: tuple[Path, ...]
    left_out: tuple[Region, ...]


def numbered(outline: Outline, numbers: Mapping[int, str], scale: float, size: float) -> Numbering:
    """Places the numbers, those of large regions first.

    Args:
      outline: The outline.
      numbers: Number, or other short text, of each label; regions of other labels have none.
      scale: Millimetres a pixel.
      size: Size of the numbers where there is room, in mm.

    Raises:
      UserError: If a number is too long, or their size is not legible.
    """
    if not LEAST_SIZE <= size <= _LARGEST_SIZE:
        raise UserError(f"numbers of {size} mm: {LEAST_SIZE} to {_LARGEST_SIZE:.0f} mm are legible")
    for text in numbers.values():
        if not 0 < len(text) <= _LONGEST:
            raise UserError(f"the number {text!r} of a region: 1 to {_LONGEST} letters")
    texts, leaders, left_out, taken = [], [], [], []
    beside = []
    wanted = [region for region in outline.regions if region.label in numbers]
    for region in sorted(wanted, key=lambda region: -region.radius):
        room = scale * region.radius - _AIR
        text = numbers[region.label]
        fits = min(size, room / _reach(text, 1))
        if fits < LEAST_SIZE:
            beside.append(region)
            continue
        x, y = scale * region.x, scale * region.y
        texts.append(_centred(x, y, text, fits))
        taken.append((x, y, _reach(text, fits)))
    depth_HW = depth(outline.islands_HW) if beside else None
    for region in beside:
        text = numbers[region.label]
        reach = _reach(text, LEAST_SIZE)
        spot = _spot(outline, depth_HW, region, scale, reach, taken)
        if spot is None:
            left_out.append(region)
            continue
        from_2, to_2 = scale * np.array([region.x, region.y]), np.array(spot)
        far = float(np.hypot(*(to_2 - from_2)))
        end_2 = from_2 + (to_2 - from_2) * (1 - reach / far)
        leaders.append(segment(*from_2, *end_2))
        texts.append(_centred(*spot, text, LEAST_SIZE))
        taken.append((*spot, reach))
    return Numbering(tuple(texts), tuple(leaders), tuple(left_out))


def _spot(outline, depth_HW, region, scale, reach, taken) -> tuple[float, float] | None:
    """The nearest place at which a number touches neither a line nor another number, in mm."""
    height, width = depth_HW.shape
    # Millimetres a pixel of the map of regions.
    x_step, y_step = scale * outline.width / width, scale * outline.height / height
    x, y = scale * region.x, scale * region.y
    rows, columns = (
        slice(max(0, int((at - _FARTHEST) / step)), int((at + _FARTHEST) / step) + 1)
        for at, step in ((y, y_step), (x, x_step))
    )
    room = depth_HW[rows, columns] * min(x_step, y_step) >= reach + _AIR
    y_P, x_P = np.nonzero(room)
    x_P, y_P = (x_P + columns.start + 0.5) * x_step, (y_P + rows.start + 0.5) * y_step
    far_P = np.hypot(x_P - x, y_P - y)
    free_P = (far_P <= _FARTHEST) & (far_P > reach)
    for other_x, other_y, other in taken:
        if np.hypot(other_x - x, other_y - y) < _FARTHEST + reach + other:
            free_P &= np.hypot(x_P - other_x, y_P - other_y) > reach + other + _AIR
    if not free_P.any():
        return None
    nearest = int(np.where(free_P, far_P, np.inf).argmin())
    return float(x_P[nearest]), float(y_P[nearest])


def _reach(text: str, size: float) -> float:
    """Radius of the circle around a text."""
    return size * float(np.hypot(DIGIT_WIDTH * len(text), DIGIT_HEIGHT)) / 2


def _centred(x: float, y: float, text: str, size: float) -> Text:
    return Text(x, y + DIGIT_HEIGHT * size / 2, text, size)
