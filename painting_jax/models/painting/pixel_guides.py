"""What is known of each pixel before anything is painted: looks of the reference, and its forms."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from painting_jax.models import segments
from painting_jax.models.layers import gaussian_blur

LOOKS = ("sharp", "grey", "soft", "wide", "flat")
_SOFT, _WIDE = 1.5, 4.0  # blurs in pixels
FORMS = (
    *("light_soft", "light_wide", "light_flat"),
    *("edges", "broad_edges", "ridges", "lines"),
    *("fine_detail", "coarse_detail", "unlike_region"),
    "one",
    *(f"segment_{channel}" for channel in range(segments.CHANNELS)),
    *("turn_down", "turn_right", "turn_outward"),
    *("row", "column", "radius"),
)


def see(
    reference_BHWC: Float[Array, "b h w 3"], segments_BHW: UInt8[Array, "b h w"]
) -> tuple[Float[Array, "b h w l 3"], Float[Array, "b h w f"]]:
    """Looks at a picture.

    Args:
      reference_BHWC: RGB in [-1, 1].
      segments_BHW: labels 1..K in painting order; zeros = none.

    Returns:
      The `LOOKS`: the picture, its light, two blurs, and the mean colours of its regions. The
      `FORMS`, a few units at most: lights, edges, detail, and when and where a pixel's turn comes.
    """
    grey = jnp.broadcast_to(reference_BHWC.mean(-1, keepdims=True), reference_BHWC.shape)
    blurs = [gaussian_blur(reference_BHWC, sigma) for sigma in (_SOFT, _WIDE)]
    flat = segments.flat_colours(reference_BHWC, segments_BHW)
    looks_BHWLC = jnp.stack([reference_BHWC, grey, *blurs, flat], 3)
    sharp, _, soft, wide, plain = jnp.unstack(looks_BHWLC.mean(-1), axis=3)
    edges_BHW = _edges(gaussian_blur(reference_BHWC, 0.8))
    broad_BHW = gaussian_blur(edges_BHW[..., None], 2.0)[..., 0]
    lights = [soft, wide, plain]
    drawn = [edges_BHW, broad_BHW, 4 * (edges_BHW - broad_BHW), jnp.tanh(12 * (wide - soft))]
    detail = [4 * jnp.abs(a - b) for a, b in ((sharp, soft), (soft, wide), (soft, plain))]
    forms_BHWF = jnp.concatenate(
        [
            jnp.stack([*lights, *drawn, *detail, jnp.ones_like(sharp)], -1),
            segments.segment_features(segments_BHW, 1),
            segments.turns(segments_BHW),
            jnp.broadcast_to(_places(*sharp.shape[1:]), (*sharp.shape, 3)),
        ],
        -1,
    )
    return looks_BHWLC, forms_BHWF


def _edges(picture_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b h w"]:
    """Strength of the slopes, 1 = among the strongest of the picture."""
    slope = jnp.stack(jnp.gradient(picture_BHWC, axis=(1, 2)))
    steep_BHW = jnp.sqrt(jnp.square(slope).sum((0, -1)) + 1e-8)
    strong_B = jnp.quantile(steep_BHW.reshape(steep_BHW.shape[0], -1), 0.97, axis=1)
    return jnp.minimum(steep_BHW / jnp.maximum(strong_B, 0.04)[:, None, None], 1)


def _places(height: int, width: int) -> Float[Array, "h w 3"]:
    """Each pixel's row, column and distance from the centre: strokes advance along these."""
    rows, columns = jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width)
    y, x = jnp.meshgrid(rows, columns, indexing="ij")
    return 2 * jnp.stack([y, x, jnp.hypot(y, x)], -1)
