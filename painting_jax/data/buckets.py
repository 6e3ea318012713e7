"""Aspect buckets: the few shapes in which pictures of many shapes are trained and painted."""

import dataclasses
import math
from collections.abc import Iterable

# A picture is cropped to its bucket if this share of it remains, and padded if not.
_LEAST_KEPT = 0.9


def fitted(shape_HW: tuple[int, int], area: int, multiple: int) -> tuple[int, int]:
    """Height and width of a video of a picture: of its aspect, of about a number of pixels.

    Both are rounded down to multiples, as in diffusers' examples of Wan.

    Args:
      shape_HW: of the picture.
      area: height times width that the model was trained with.
      multiple: of pixels along each side that the model asks for.
    """
    aspect = shape_HW[0] / shape_HW[1]
    sides = (round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect)))
    height, width = (max(multiple, side // multiple * multiple) for side in sides)
    return height, width


def shapes(aspects: Iterable[str], area: int, multiple: int) -> tuple[tuple[int, int], ...]:
    """The buckets of some aspects: what `fitted` makes of pictures of these, each shape once.

    Args:
      aspects: Such as "16:9", width to height.
      area: Pixels of a frame, of which each bucket has nearly as many.
      multiple: Pixels that divide each side.

    Returns:
      Heights and widths, the widest first.
    """
    sides = [tuple(map(int, aspect.split(":"))) for aspect in aspects]
    found = {fitted((height, width), area, multiple) for width, height in sides}
    return tuple(sorted(found, key=lambda shape_HW: shape_HW[0] / shape_HW[1]))


@dataclasses.dataclass(frozen=True)
class Shapes:
    """The shapes in which pictures are trained and painted.

    Attributes:
      height: Height in pixels, for pictures of every shape if there are no buckets.
      width: Width in pixels.
      buckets: Heights and widths to choose from instead.
    """

    height: int
    width: int
    buckets: tuple[tuple[int, int], ...] = ()

    def of(self, picture_HW: tuple[int, int]) -> tuple[int, int]:
        """Height and width for a picture: of the bucket that keeps the most of it when cropped."""
        if not self.buckets:
            return self.height, self.width
        return max(self.buckets, key=lambda bucket_HW: _kept(picture_HW, bucket_HW))

    def kept(self, picture_HW: tuple[int, int]) -> float:
        """Share of the picture that remains when it is cropped to its shape."""
        return _kept(picture_HW, self.of(picture_HW))

    def is_padded(self, picture_HW: tuple[int, int]) -> bool:
        """Whether the picture fits no bucket: it is padded, as a crop would take too much of it.

        Without buckets all pictures are cropped.
        """
        return bool(self.buckets) and self.kept(picture_HW) < _LEAST_KEPT

    def enlarges(self, picture_HW: tuple[int, int]) -> bool:
        """Whether the picture is smaller than its shape, and would be scaled up."""
        factors = [
            ours / theirs for ours, theirs in zip(self.of(picture_HW), picture_HW, strict=True)
        ]
        return (min(factors) if self.is_padded(picture_HW) else max(factors)) > 1


def _kept(picture_HW: tuple[int, int], bucket_HW: tuple[int, int]) -> float:
    """Share of a picture that remains when it is cropped to a bucket's aspect."""
    ratio = picture_HW[0] * bucket_HW[1] / (picture_HW[1] * bucket_HW[0])
    return min(ratio, 1 / ratio)
