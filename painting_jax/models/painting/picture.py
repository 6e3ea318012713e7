"""What the pixel head paints from, at one size: of the latents, or the full size of the picture."""

import dataclasses

import jax
from jaxtyping import Array, Bool, Float, UInt8


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Picture:
    """A batch of pictures. What a model is not told of is None.

    Attributes:
      reference_BHWC: RGB in [-1, 1]; zeros = no reference.
      segments_BHW: segment map with labels in painting order; zeros = none.
      behind_BHWC: colours of what lies behind the regions, RGB in [-1, 1].
      behind_segments_BHW: labels of the regions that continue there; zeros = nothing does.
      canvas_BHWC: the canvas from which the process goes on, RGB in [-1, 1].
      given_B: whether there is such a canvas.
    """

    reference_BHWC: Float[Array, "b h w 3"]
    segments_BHW: UInt8[Array, "b h w"]
    behind_BHWC: Float[Array, "b h w 3"] | None = None
    behind_segments_BHW: UInt8[Array, "b h w"] | None = None
    canvas_BHWC: Float[Array, "b h w 3"] | None = None
    given_B: Bool[Array, " b"] | None = None
