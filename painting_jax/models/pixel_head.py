"""The pixel models' second output: detail, decided pixel by pixel from what a token knows.

A transformer of few, large patches is cheap, but 16 x 16 pixels do not pass through a token. What
they show is mostly known, though: canvas here, a broad mass of the picture's colour there, the
finished picture elsewhere. So each pixel gets gated features of what is known of it (looks of the
reference, its segment), with offsets from its token, and the token says how they make a colour and
how much of the noisy sample to keep. Patch-detail heads of pixel diffusion models do likewise
(arXiv 2507.23268).
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models import segments
from painting_jax.models.blur import gaussian_blur
from painting_jax.models.wan import linear, patchify, unpatchify

_BLURS = (1.0, 3.0)  # pixels
_KNOWN = 3 * (1 + len(_BLURS)) + 1 + segments.CHANNELS


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
        self.kept = linear(dim, 3, rngs=rngs, dtype=dtype, zero=True)
        self.offset = linear(dim, 2 * features, rngs=rngs, dtype=dtype)
        self.combine = linear(dim, 3 * features, rngs=rngs, dtype=dtype, zero=True)

    def __call__(
        self,
        tokens_BthwD: Float[Array, "b t h w d"],
        noisy_BTHWC: Float[Array, "b t h w 3"],
        reference_BHWC: Float[Array, "b h w 3"],
        segments_BHWC: Float[Array, "b h w s"],
    ) -> Float[Array, "b t h w 3"]:
        """Colours to add to the transformer's output, float32.

        Args:
          tokens_BthwD: the transformer's last, normalised.
          noisy_BTHWC: the sample it saw.
          reference_BHWC: RGB in [-1, 1]; zero where it is dropped.
          segments_BHWC: `segments.segment_features`.
        """
        known_BHWF = jnp.concatenate([_looks(reference_BHWC), segments_BHWC], -1)
        # What is known of a pixel is the same on every frame: it is projected once.
        known_BHWK = self.known(known_BHWF.astype(self.dtype))
        pixels = patchify(known_BHWK[:, None], (1, *self.patch[1:]))
        pixels = pixels.reshape(*pixels.shape[:-1], -1, 2 * self.features)
        offset = self.offset(tokens_BthwD)[..., None, :]
        value, gate = jnp.split(pixels, 2, -1)
        value_offset, gate_offset = jnp.split(offset, 2, -1)
        combine = self.combine(tokens_BthwD).reshape(*tokens_BthwD.shape[:-1], 1, 3, self.features)
        gated = (value + value_offset) * jax.nn.sigmoid(gate + gate_offset)
        # A product and a sum rather than a matrix product: the compiler fuses the whole line above
        # into the sum, and no array of all pixels' features is ever stored.
        colours = (gated[..., None, :] * combine).sum(-1) * self.features**-0.5
        kept = self.kept(tokens_BthwD)[..., None, :]
        noisy = patchify(noisy_BTHWC.astype(self.dtype), self.patch)
        colours = colours + kept * noisy.reshape(colours.shape)
        return unpatchify(colours.reshape(*colours.shape[:4], -1).astype(jnp.float32), self.patch)


def _looks(reference_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b h w f"]:
    blurs = [gaussian_blur(reference_BHWC, sigma) for sigma in _BLURS]
    detail_BHW1 = (reference_BHWC - blurs[0]).mean(-1, keepdims=True)
    return jnp.concatenate([reference_BHWC, *blurs, 4 * detail_BHW1], -1)
