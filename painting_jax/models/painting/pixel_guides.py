"""What is known of each pixel before anything is painted: paints of the reference, and guides.

A picture may be larger than the one that the tokens see. Masses grow with it: blurs are as wide in
parts of the picture. Lines and edges grow more slowly, as a painter's do (`_LINES`).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from painting_jax.models import segments
from painting_jax.models.layers import gaussian_blur
from painting_jax.models.painting.picture import Picture

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
# Further guides of a model that is told the direction in which strokes advance, what lies behind
# the regions, or the canvas from which the process goes on.
DIRECTED = ("turn", "ahead")
BEHIND = ("behind", "behind_turn")
CANVAS = ("given", "canvas_light", "unlike_canvas")


def paint_names(*, behind: bool, canvas: bool) -> tuple[str, ...]:
    """Names of the paints of `paints_and_guides`."""
    return PAINTS + ("behind",) * behind + ("canvas",) * canvas


def guide_names(*, directed: bool, behind: bool, canvas: bool) -> tuple[str, ...]:
    """Names of the guides of `paints_and_guides`."""
    return GUIDES + DIRECTED * directed + BEHIND * behind + CANVAS * canvas


def paints_and_guides(
    picture: Picture,
    direction_B3: Float[Array, "b 3"] | None = None,
    scale: float = 1.0,
) -> tuple[Float[Array, "b h w l 3"], Float[Array, "b h w f"]]:
    """The paints and guides of a picture, see `paint_names` and `guide_names`.

    Args:
      picture: picture. The parts that it lacks are left out.
      direction_B3: how far strokes advance downwards, to the right, and outwards, -1..1 each; None
        leaves the guides `DIRECTED` out.
      scale: size of the picture relative to the one that the tokens see.

    Returns:
      The paints: the picture, its brightness, two blurs, and the mean colours of its regions; what
      lies behind them; the canvas. The guides, a few units large: brightness, edges, detail, and
      when each pixel is painted; when it is if strokes advance in the direction; whether something
      lies behind it, and when that is painted; whether there is a canvas, its brightness, and how
      far it is from the picture.
    """
    reference_BHWC, segments_BHW = picture.reference_BHWC, picture.segments_BHW
    grey = jnp.broadcast_to(reference_BHWC.mean(-1, keepdims=True), reference_BHWC.shape)
    blurs = [gaussian_blur(reference_BHWC, scale * sigma) for sigma in (_SOFT, _WIDE)]
    flat = segments.flat_colours(reference_BHWC, segments_BHW)
    further = (picture.behind_BHWC, picture.canvas_BHWC)
    further = [paint_BHWC for paint_BHWC in further if paint_BHWC is not None]
    paints_BHWLC = jnp.stack([reference_BHWC, grey, *blurs, flat, *further], 3)
    sharp, _, soft, wide, plain, *_ = jnp.unstack(paints_BHWLC.mean(-1), axis=3)
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
            *_of_what_lies_behind(picture, direction_B3),
            *_of_the_canvas(picture),
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


def _of_what_lies_behind(
    picture: Picture, direction_B3: Float[Array, "b 3"] | None
) -> list[Float[Array, "b h w 1"]]:
    """Whether something lies behind a pixel, and when it is painted: in its region's turn."""
    behind_BHW = picture.behind_segments_BHW
    if behind_BHW is None:
        return []
    if direction_B3 is None:
        direction_B3 = jnp.zeros((len(behind_BHW), 3))
    there_BHW1 = (behind_BHW > 0).astype(jnp.float32)[..., None]
    return [there_BHW1, segments.painting_times(picture.segments_BHW, direction_B3, behind_BHW)]


def _of_the_canvas(picture: Picture) -> list[Float[Array, "b h w 1"]]:
    """Whether there is a canvas, its brightness, and how far it is from the picture."""
    canvas_BHWC = picture.canvas_BHWC
    if canvas_BHWC is None:
        return []
    given_B111 = picture.given_B.astype(jnp.float32)[:, None, None, None]
    unlike = 4 * jnp.abs(canvas_BHWC - picture.reference_BHWC).mean(-1, keepdims=True)
    light = canvas_BHWC.mean(-1, keepdims=True)
    return [jnp.broadcast_to(given_B111, light.shape), given_B111 * light, given_B111 * unlike]
