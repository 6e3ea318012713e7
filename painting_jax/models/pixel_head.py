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
_LOOKS = 2 + len(_BLURS)
_PLAIN = _LOOKS + 3 + segments.CHANNELS + 2 + 1
_SCALE = _PLAIN**-0.5  # keeps sums over what is known at the size of one term
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
        self.gate_weights = linear(dim, _PLAIN * gates, rngs=rngs, dtype=dtype)
        # One colour everywhere, and one more where each gate is open; none of them at first.
        # A look's weight is the same for red, green and blue: colours that no training picture had
        # are painted like any other.
        self.look_weights = linear(dim, _LOOKS * (1 + gates), rngs=rngs, dtype=dtype, zero=True)
        self.plain_weights = linear(
            dim, _PLAIN * 3 * (1 + gates), rngs=rngs, dtype=dtype, zero=True
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
        known_BhwCPK = self._known(reference_BHWC, segments_BHW, segments_BHWC)
        shape, maps = tokens_BthwD.shape[:-1], 1 + self.gates
        gates = self.gate_weights(tokens_BthwD).reshape(*shape, _PLAIN, self.gates)
        of_looks = self.look_weights(tokens_BthwD).reshape(*shape, 1, _LOOKS, maps)
        of_plain = self.plain_weights(tokens_BthwD).reshape(*shape, 3, _PLAIN, maps)
        of_looks = jnp.broadcast_to(of_looks, (*shape, 3, _LOOKS, maps))
        weights = jnp.concatenate([of_looks, of_plain], -2)
        # What is known is the same on every frame: one matrix product a patch makes all frames.
        colour = _SCALE * jnp.einsum("bhwcpk,bthwckg->bthwcpg", known_BhwCPK, weights)
        plain_BhwPF = known_BhwCPK[:, :, :, 0, :, _LOOKS:]
        open_ = _SCALE * jnp.einsum("bhwpf,bthwfg->bthwpg", plain_BhwPF, gates)
        open_ = jax.nn.sigmoid(_STEEP * open_)[:, :, :, :, None]
        mixed = colour[..., 0]
        # Few terms written out: as a reduction they crash the CPU compiler of jaxlib 0.10.2.
        for gate in range(self.gates):
            mixed = mixed + open_[..., gate] * colour[..., 1 + gate]
        mixed = mixed.swapaxes(-1, -2).reshape(*shape, -1).astype(jnp.float32)
        return unpatchify(mixed, self.patch)

    def _known(self, reference_BHWC, segments_BHW, segments_BHWC) -> Float[Array, "b h w 3 p k"]:
        """What is known of each pixel, for red, green and blue: its looks, then the rest."""
        blurs = [gaussian_blur(reference_BHWC, sigma) for sigma in _BLURS]
        flat = segments.flat_colours(reference_BHWC, segments_BHW)
        looks_BHWCL = jnp.stack([reference_BHWC, *blurs, flat], -1)
        light_BHWL = looks_BHWCL.mean(-2)
        sharp, soft, wide = jnp.moveaxis(light_BHWL, -1, 0)[:3]
        # Edges and lines saturate: a draughtsman draws the faint ones, too.
        slope = jnp.stack(jnp.gradient(soft, axis=(1, 2)))
        edges = jnp.tanh(8 * jnp.sqrt(jnp.square(slope).sum(0) + 1e-6))
        lines = jnp.tanh(12 * (wide - soft))
        batch, height, width = sharp.shape
        places = jnp.broadcast_to(_places(height, width), (batch, height, width, 2))
        drawn = jnp.stack([4 * (sharp - soft), edges, lines, jnp.ones_like(sharp)], -1)
        plain_BHWF = jnp.concatenate([light_BHWL, drawn, segments_BHWC, places], -1)
        plain_BHWCF = plain_BHWF[..., None, :].repeat(3, -2)
        known = jnp.concatenate([looks_BHWCL, plain_BHWCF], -1).astype(self.dtype)
        flattened = known.reshape(batch, 1, height, width, -1)
        patches = patchify(flattened, (1, *self.patch[1:]))[:, 0]
        patches = patches.reshape(*patches.shape[:-1], -1, 3, _LOOKS + _PLAIN)
        return patches.swapaxes(-2, -3)


def _places(height: int, width: int) -> Float[Array, "h w 2"]:
    """Each pixel's row and column, from -1 to 1: strokes advance across the picture."""
    rows, columns = jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width)
    return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), -1)
