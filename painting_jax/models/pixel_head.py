"""The pixel models' second output: each token writes a small network for its pixels.

A transformer of few, large patches is cheap, but 16 x 16 pixels do not pass through a token. What
they show is mostly known, though: canvas here, a broad mass of the picture's colour there, the
finished picture elsewhere. So a token gives the weights of a gated linear network that makes each
of its pixels from what is known of that pixel: looks of the reference, its segment, its place.
Patch-wise neural fields in pixel diffusion models do likewise (arXiv 2507.23268).
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, UInt8

from painting_jax.models import segments
from painting_jax.models.blur import gaussian_blur
from painting_jax.models.wan import linear, patchify, unpatchify

_BLURS = (1.0, 3.0)  # pixels
_KNOWN = 3 * (2 + len(_BLURS)) + 3 + segments.CHANNELS + 2 + 1
_SCALE = _KNOWN**-0.5  # keeps sums over what is known at the size of one term
_STEEP = 4.0  # of the gates: boundaries are sharp, and weights start small


class PixelHead(nnx.Module):
    """Colours of pixels, by networks that their tokens write.

    Args:
      dim: width of the tokens.
      gates: G, regions that a token tells apart among its pixels.
      patch: of the transformer.
      rngs: of the parameters.
      dtype: computed in.
    """

    def __init__(self, dim: int, gates: int, patch: tuple[int, int, int], *, rngs, dtype):
        self.patch = patch
        self.gates = gates
        self.dtype = dtype
        self.gate_weights = linear(dim, _KNOWN * gates, rngs=rngs, dtype=dtype)
        # One colour everywhere, and one more where each gate is open; none of them at first.
        self.colour_weights = linear(
            dim, _KNOWN * 3 * (1 + gates), rngs=rngs, dtype=dtype, zero=True
        )

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
        known_BhwPF = self._known(reference_BHWC, segments_BHW, segments_BHWC)
        shape = tokens_BthwD.shape[:-1]
        gates = self.gate_weights(tokens_BthwD).reshape(*shape, _KNOWN, self.gates)
        colours = self.colour_weights(tokens_BthwD).reshape(*shape, _KNOWN, 3, 1 + self.gates)
        # What is known is the same on every frame: one matrix product a patch makes all frames.
        open_ = jnp.einsum("bhwpf,bthwfg->bthwpg", known_BhwPF, gates)
        open_ = jax.nn.sigmoid(_STEEP * _SCALE * open_)
        colour = jnp.einsum("bhwpf,bthwfcg->bthwpcg", known_BhwPF, colours)
        colour = colour * _SCALE
        mixed = colour[..., 0]
        # Few terms written out: as a reduction they crash the CPU compiler of jaxlib 0.10.2.
        for gate in range(self.gates):
            mixed = mixed + open_[..., gate, None] * colour[..., 1 + gate]
        return unpatchify(mixed.reshape(*shape, -1).astype(jnp.float32), self.patch)

    def _known(self, reference_BHWC, segments_BHW, segments_BHWC) -> Float[Array, "b h w p f"]:
        """What is known of each pixel, patch by patch, with a constant."""
        looks_BHWF = _looks(reference_BHWC, segments_BHW)
        batch, height, width, _ = looks_BHWF.shape
        places_BHW2 = jnp.broadcast_to(_places(height, width), (batch, height, width, 2))
        ones_BHW1 = jnp.ones((batch, height, width, 1))
        known = jnp.concatenate([looks_BHWF, segments_BHWC, places_BHW2, ones_BHW1], -1)
        patches = patchify(known[:, None].astype(self.dtype), (1, *self.patch[1:]))[:, 0]
        return patches.reshape(*patches.shape[:-1], -1, _KNOWN)


def _looks(
    reference_BHWC: Float[Array, "b h w 3"], segments_BHW: UInt8[Array, "b h w"]
) -> Float[Array, "b h w f"]:
    """The reference, out of focus twice, as flat regions, its fine detail, edges and lines."""
    blurs = [gaussian_blur(reference_BHWC, sigma) for sigma in _BLURS]
    flat_BHWC = segments.flat_colours(reference_BHWC, segments_BHW)
    detail_BHW1 = (reference_BHWC - blurs[0]).mean(-1, keepdims=True)
    soft_BHW1 = blurs[0].mean(-1, keepdims=True)
    slope = jnp.stack(jnp.gradient(soft_BHW1, axis=(1, 2)))
    # Edges and lines saturate: a draughtsman draws the faint ones, too.
    edges_BHW1 = jnp.tanh(8 * jnp.sqrt(jnp.square(slope).sum(0) + 1e-6))
    wide_BHW1 = blurs[1].mean(-1, keepdims=True)
    lines_BHW1 = jnp.tanh(12 * (wide_BHW1 - soft_BHW1))
    return jnp.concatenate(
        [reference_BHWC, *blurs, flat_BHWC, 4 * detail_BHW1, edges_BHW1, lines_BHW1], -1
    )


def _places(height: int, width: int) -> Float[Array, "h w 2"]:
    """Each pixel's row and column, from -1 to 1: strokes advance across the picture."""
    rows, columns = jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width)
    return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), -1)
