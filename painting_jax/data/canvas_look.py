"""What a half-finished canvas and its picture have in common: edges and colours.

Edges are compared by their slopes and by where they are strong for their surroundings. The second
also finds a picture in the lines of a sketch, and in an underpainting of other colours.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from painting_jax.data import pictures

SIDE = 64  # pixels a side at which canvas and picture are compared, whatever their shape
_SOFT, _SURROUNDINGS = 1.5, 2.0  # radii of blurs, in such pixels
_COLOURS = 0.5  # weight of colours against edges


@dataclasses.dataclass(frozen=True)
class Look:
    """The look of a picture or of a canvas, each array with a mean of about 0.

    Attributes:
      slopes_2HWC: Slopes of the three channels, down and to the right.
      edges_HW: Roots of the slopes' sizes, less those of the surroundings.
      colours_HWC: Blurred colours.
    """

    slopes_2HWC: np.ndarray
    edges_HW: np.ndarray
    colours_HWC: np.ndarray

    @classmethod
    def of(cls, picture_HWC: np.ndarray) -> "Look":
        """That of a picture, RGB in 0..255; other than uint8, it must have `SIDE` pixels a side."""
        if picture_HWC.dtype == np.uint8:
            picture_HWC = pictures.resize(picture_HWC, SIDE, SIDE)
        soft_HWC = ndimage.gaussian_filter(picture_HWC.astype(np.float32), (_SOFT, _SOFT, 0))
        corner_HWC = soft_HWC[1:, 1:]
        slopes_2HWC = np.stack([corner_HWC - soft_HWC[:-1, 1:], corner_HWC - soft_HWC[1:, :-1]])
        size_HW = np.sqrt(np.sqrt((slopes_2HWC**2).sum((0, 3))))
        edges_HW = size_HW - ndimage.gaussian_filter(size_HW, _SURROUNDINGS)
        return cls(slopes_2HWC, edges_HW - edges_HW.mean(), soft_HWC - soft_HWC.mean((0, 1)))

    def likeness(self, other: "Look") -> float:
        """How much two pictures have in common, from -1.5 to 1.5; 0 by chance."""
        edges = max(
            _correlation(self.slopes_2HWC, other.slopes_2HWC), self.likeness_of_edges(other)
        )
        return edges + _COLOURS * _correlation(self.colours_HWC, other.colours_HWC)

    def likeness_of_edges(self, other: "Look") -> float:
        """The same by where edges are strong alone, from -1 to 1; no light changes it much."""
        return _correlation(self.edges_HW, other.edges_HW)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum() + 1e-6))
