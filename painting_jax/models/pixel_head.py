"""The pixel models' second output: detail, decided pixel by pixel from what a token knows.

A transformer of few, large patches is cheap, but 16 x 16 pixels do not pass through a token. What
they show is mostly known, though: canvas here, a broad mass of the picture's colour there, the
finished picture elsewhere. So each token weighs looks of the reference, and each pixel gets gated
features of what is known of it (the looks, its segment, its place), with offsets from its token,
which says how they make a colour. Patch-detail heads of pixel diffusion models do likewise
(arXiv 2507.23268).
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, UInt8

from painting_jax.models import segments
from painting_jax.models.blur import gaussian_blur
from painting_jax.models.wan import linear, patchify, unpatchify

_BLURS = (1.0, 3.0)  # pixels
_COLOURED = 2 + len(_BLURS)  # looks with three channels
_STEEP = 4.0  # of the gates: region boundaries are sharp, and weights start small
_KNOWN = 3 * _COLOURED + 2 + segments.CHANNELS + 2


class PixelHead(nnx.Module):
    """Gated pixel features, combined by the tokens.

    Args:
      dim: width of the tokens.
      features: K, gated features a pixel.
      patch: of the transformer.
      rngs: of the parameters.
      dtype: computed in.
    """

    def __init__(self, dim: int, features: int, patch: tuple[int, int, int], *, rngs, dtype):
        self.patch = patch
        self.features = features
        self.dtype = dtype
        self.known = linear(_KNOWN, 2 * features, rngs=rngs, dtype=dtype)
        self.offset = linear(dim, 2 * features, rngs=rngs, dtype=dtype)
        self.weigh = linear(dim, 3 * _COLOURED, rngs=rngs, dtype=dtype, zero=True)
        self.combine = linear(dim, 3 * features, rngs=rngs, dtype=dtype, zero=True)

    def __call__(
        self,
        tokens_BthwD: Float[Array, "b t h w d"],
        reference_BHWC: Float[Array, "b h w 3"],
        segments_BHW: UInt8[Array, "b h w"],
        segments_BHWC: Float[Array, "b h w s"],
    ) -> Float[Array, "b t h w 3"]:
        """Colours to add to the transformer's output, float32.

        Args:
          tokens_BthwD: the transformer's last, normalised.
          reference_BHWC: RGB in [-1, 1]; zero where it is dropped.
          segments_BHW: label map; zeros = none.
          segments_BHWC: `segments.segment_features` of it.
        """
        looks_BHWF = _looks(reference_BHWC, segments_BHW)
        places_BHW2 = jnp.broadcast_to(_places(*looks_BHWF.shape[1:3]), (*looks_BHWF.shape[:3], 2))
        known_BHWF = jnp.concatenate([looks_BHWF, segments_BHWC, places_BHW2], -1)
        # What is known of a pixel is the same on every frame: it is projected once.
        known_BHWK = self.known(known_BHWF.astype(self.dtype))
        pixels = patchify(known_BHWK[:, None], (1, *self.patch[1:]))
        pixels = pixels.reshape(*pixels.shape[:-1], -1, 2 * self.features)
        offset = self.offset(tokens_BthwD)[..., None, :]
        value, gate = jnp.split(pixels, 2, -1)
        value_offset, gate_offset = jnp.split(offset, 2, -1)
        combine = self.combine(tokens_BthwD).reshape(*tokens_BthwD.shape[:-1], 1, 3, self.features)
        gated = (value + value_offset) * jax.nn.sigmoid(_STEEP * (gate + gate_offset))
        # A product and a sum rather than a matrix product: the compiler fuses the whole line above
        # into the sum, and no array of all pixels' features is ever stored.
        colours = (gated[..., None, :] * combine).sum(-1) * self.features**-0.5
        looks = patchify(looks_BHWF[:, None, ..., : 3 * _COLOURED], (1, *self.patch[1:]))
        looks = jnp.moveaxis(looks.reshape(*looks.shape[:-1], -1, _COLOURED, 3), -2, 0)
        weights = self.weigh(tokens_BthwD).reshape(*tokens_BthwD.shape[:-1], 1, _COLOURED, 3)
        weights = jnp.moveaxis(weights, -2, 0)
        # Four terms written out: as a reduction they crash the CPU compiler of jaxlib 0.10.2.
        for weight, look in zip(weights, looks, strict=True):
            colours = colours + weight * look
        return unpatchify(colours.reshape(*colours.shape[:4], -1).astype(jnp.float32), self.patch)


def _looks(
    reference_BHWC: Float[Array, "b h w 3"], segments_BHW: UInt8[Array, "b h w"]
) -> Float[Array, "b h w f"]:
    """The reference, out of focus twice, as flat regions, its fine detail, its outlines."""
    blurs = [gaussian_blur(reference_BHWC, sigma) for sigma in _BLURS]
    flat_BHWC = segments.flat_colours(reference_BHWC, segments_BHW)
    detail_BHW1 = (reference_BHWC - blurs[0]).mean(-1, keepdims=True)
    soft_BHW1 = blurs[0].mean(-1, keepdims=True)
    slope = jnp.stack(jnp.gradient(soft_BHW1, axis=(1, 2)))
    outline_BHW1 = jnp.sqrt(jnp.square(slope).sum(0) + 1e-6)
    return jnp.concatenate(
        [reference_BHWC, *blurs, flat_BHWC, 4 * detail_BHW1, 4 * outline_BHW1], -1
    )


def _places(height: int, width: int) -> Float[Array, "h w 2"]:
    """Each pixel's row and column, from -1 to 1: strokes advance across the picture."""
    rows, columns = jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width)
    return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), -1)
