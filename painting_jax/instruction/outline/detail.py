"""How much an outline shows, from the large shapes to the small ones."""

import dataclasses

from painting_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Detail:
    """A level of detail. Lengths are in pixels of a picture whose longer side is `SIDE`.

    Attributes:
      nodes: Most nodes of all lines together; they move closer to the borders until it is used up.
      regions: Most regions.
      area: Least area of a region, in square pixels.
      radius: Least radius of the largest circle in a region: what is thinner is no region.
      soft: Blur with which ragged borders are straightened.
      smooth: Blur along a line, which takes out the steps of the pixels.
      tolerance: Distance by which a curve may miss its line.
      edges: Most edges inside the regions.
      edge_length: Least length of such an edge.
      edge_contrast: Least sum of its gradients, lightness 0..1: a short edge must be sharp.
      edge_blur: Blur in which such edges are sought.
    """

    nodes: int
    regions: int
    area: float
    radius: float
    soft: float
    smooth: float
    tolerance: float
    edges: int
    edge_length: float
    edge_contrast: float
    edge_blur: float


SIDE = 768
NAMES = ("simple", "normal", "fine")
_LEVELS = {
    "simple": Detail(1000, 60, 1200, 7, 2.5, 5, 1.2, 16, 60, 1.0, 4),
    "normal": Detail(3000, 200, 300, 3.5, 1.2, 4, 0.9, 72, 34, 0.4, 2.3),
    "fine": Detail(8000, 600, 80, 2, 0.7, 2.5, 0.6, 160, 22, 0.3, 2),
}


def level(name: str) -> Detail:
    """The level of this name.

    Raises:
      UserError: If there is none.
    """
    if name not in _LEVELS:
        raise UserError(f"an outline's detail is one of {', '.join(NAMES)}, not {name}")
    return _LEVELS[name]
