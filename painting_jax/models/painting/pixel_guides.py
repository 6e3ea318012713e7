"""What is known of each pixel before anything is painted: paints of the reference, and guides.

A picture may be larger than the one that the tokens see. Masses grow with it: blurs are as wide in
parts of the picture. Lines and edges grow more slowly, as a painter's do (`_LINES`).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from painting_jax.models import segments
from painting_jax.models.layers import gaussian_blur

# Filtered versions of the reference that layers of paint are mixed from.
PAINTS = ("sharp", "grey", "soft", "wide", "flat")
_SOFT, _WIDE = 1.5, 4.0  # standard deviations of the blurs in pixels of the tokens' picture
# Exponent of the scale with which lines become wider.
_LINES = 0.65
# Channels that the gates of the layers are linear functions of.
GUIDES = (
    *("light_soft", "light_wide", "light_flat"),
    *("edges", "broad_edges", "ridges", "lines"),
    *("fine_detail", "coarse_detail", "unlike_region"),
    "one",
    *(f"segment_{channel}" for channel in range(segments.CHANNELS)),
    *("turn_down", "turn_right", "turn_outward"),
    *("row", "column", "radius"),
)
# Further guides of a model that is told the direction in which strokes advance.
DIRECTED = ("turn", "ahead")


def paints_and_guides(
    reference_BHWC: Float[Array, "b h w 3"],
    segments_BHW: UInt8[Array, "b h w"],
    direction_B3: Float[Array, "b 3"] | None = None,
    scale: float = 1.0,
) -> tuple[Float[Array, "b h w l 3"], Float[Array, "b h w f"]]:
    """The `PAINTS` and `GUIDES` of a picture.

    Args:
      reference_BHWC: RGB in [-1, 1].
      segments_BHW: labels 1..K in painting order; zeros = no segment map.
      direction_B3: how far strokes advance downwards, to the right, and outwards, -1..1 each; None
        leaves the guides `DIRECTED` out.
      scale: size of the picture relative to the one that the tokens see.

    Returns:
      The `PAINTS`: the picture, its brightness, two blurs, and the mean colours of its regions. The
      `GUIDES`, a few units large: brightness, edges, detail, and when each pixel is painted; then
      those of `DIRECTED`, when it is painted if strokes advance in the direction.
    """
    grey = jnp.broadcast_to(reference_BHWC.mean(-1, keepdims=True), reference_BHWC.shape)
    blurs = [gaussian_blur(reference_BHWC, scale * sigma) for sigma in (_SOFT, _WIDE)]
    flat = segments.flat_colours(reference_BHWC, segments_BHW)
    paints_BHWLC = jnp.stack([reference_BHWC, grey, *blurs, flat], 3)
    sharp, _, soft, wide, plain = jnp.unstack(paints_BHWLC.mean(-1), axis=3)
    line = scale**_LINES
    edges_BHW = _edges(gaussian_blur(reference_BHWC, 0.8 * line), line, line / scale)
    broad_BHW = gaussian_blur(edges_BHW[..., None], 2.0 * line)[..., 0]
    lights = [soft, wide, plain]
    drawn = [edges_BHW, broad_BHW, 4 * (edges_BHW - broad_BHW), jnp.tanh(12 * (wide - soft))]
    detail = [4 * jnp.abs(a - b) for a, b in ((sharp, soft), (soft, wide), (soft, plain))]
    guides_BHWF = jnp.concatenate(
        [
            jnp.stack([*lights, *drawn, *detail, jnp.ones_like(sharp)], -1),
            segments.segment_features(segments_BHW, round(line)),
            segments.painting_times(segments_BHW),
            jnp.broadcast_to(_positions(*sharp.shape[1:]), (*sharp.shape, 3)),
            *([] if direction_B3 is None else _directed(segments_BHW, direction_B3)),
        ],
        -1,
    )
    return paints_BHWLC, guides_BHWF


def _edges(
    picture_BHWC: Float[Array, "b h w 3"], line: float, density: float
) -> Float[Array, "b h w"]:
    """Strength of the gradients; 1 = among the strongest of the picture.

    Args:
      picture_BHWC: blurred picture.
      line: width of an edge, relative to the picture that the tokens see.
      density: share of the picture that lines of this width cover, relative to there.
    """
    slope = line * jnp.stack(jnp.gradient(picture_BHWC, axis=(1, 2)))
    steep_BHW = jnp.sqrt(jnp.square(slope).sum((0, -1)) + 1e-8)
    steep_BP = steep_BHW.reshape(steep_BHW.shape[0], -1)
    strong_B = jnp.quantile(steep_BP, 1 - 0.03 * density, axis=1)
    return jnp.minimum(steep_BHW / jnp.maximum(strong_B, 0.04)[:, None, None], 1)


def _positions(height: int, width: int) -> Float[Array, "h w 3"]:
    """Row, column and distance from the centre of each pixel; strokes advance along these."""
    rows, columns = jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width)
    y, x = jnp.meshgrid(rows, columns, indexing="ij")
    return 2 * jnp.stack([y, x, jnp.hypot(y, x)], -1)


def _directed(
    segments_BHW: UInt8[Array, "b h w"], direction_B3: Float[Array, "b 3"]
) -> list[Float[Array, "b h w 1"]]:
    """Time of each pixel, region by region and over the whole picture, in a direction."""
    row, column, radius = jnp.moveaxis(_positions(*segments_BHW.shape[1:]), -1, 0)
    # From -2 in the centre to 2 in the corners, as rows and columns are.
    ahead_HW3 = jnp.stack([row, column, 2**0.5 * radius - 2], -1)
    ahead_BHW1 = jnp.einsum("hwd,bd->bhw", ahead_HW3, direction_B3)[..., None]
    return [segments.painting_times(segments_BHW, direction_B3), ahead_BHW1]
