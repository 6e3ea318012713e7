"""The pixel models' output: each token writes the layers of paint that its pixels receive.

A transformer of few, large patches is cheap, but 16 x 16 pixels do not pass through a token. What
they show is mostly known, though: canvas here, a broad mass of the picture's colour there, the
finished picture elsewhere. So a token writes a few layers of paint, each laid over those below. Of
a layer it gives the paint (looks of the reference and a colour of the palette, in shares) and a
gate, a linear function of what is known of a pixel: forms, light, place, when its region's turn
comes. What medium, text and progress tell by themselves need not pass through the transformer: the
tokens are added to it, and the palette, with the colours of ground and lines, is made from it.
Being a mixture, the result keeps the colours of a picture like no other. Between the centres of
patches the weights are interpolated, so that patches leave no seams. Patch-wise neural fields in
pixel diffusion models are its kin (arXiv 2507.23268).
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, UInt8

from painting_jax.models import segments
from painting_jax.models.blur import gaussian_blur
from painting_jax.models.wan import EmbeddingMLP, linear, patchify, unpatchify

_BLURS = (1.5, 4.0)  # pixels
_LOOKS = 3 + len(_BLURS)
_EDGES = 3  # place of the edges among what is known
_KNOWN = 3 + 4 + 3 + segments.CHANNELS + segments.TURNS + 3 + 1
_ONES = 10  # and of a constant
_SHARP, _FROM_BROAD, _PALETTE = 0, (4, 3, 2), _LOOKS  # places of the paints
_MOMENTS = 8
_STEEP = 4.0 * _KNOWN**-0.5  # of the gates: boundaries are sharp, and weights start small


class PixelHead(nnx.Module):
    """Colours of pixels, in layers of paint that their tokens write.

    Args:
      dim: width of the tokens.
      layers: G, laid over the ground one after another.
      summary_dim: width of the summary of medium and text.
      patch: of the transformer, of one frame.
      rngs: of the parameters.
      dtype: computed in.
    """

    def __init__(
        self, dim: int, layers: int, summary_dim: int, patch: tuple[int, int, int], *, rngs, dtype
    ):
        self.patch = patch
        self.quarter = (1, patch[1] // 2, patch[2] // 2)
        self.layers = layers
        self.dtype = dtype
        self.gates = linear(dim, _KNOWN * layers, rngs=rngs, dtype=dtype)
        self.shares = linear(dim, (_LOOKS + 1) * (1 + layers), rngs=rngs, dtype=dtype)
        self._start_in_painting_order()
        self.manner = EmbeddingMLP(summary_dim + _MOMENTS, dim, jax.nn.silu, rngs=rngs, dtype=dtype)
        self.palette = linear(dim, 3 * (1 + layers), rngs=rngs, dtype=dtype)

    def _start_in_painting_order(self) -> None:
        """Sets biases: lines over the ground, masses over lines, finer forms over masses."""
        shares = np.zeros((1 + self.layers, _LOOKS + 1), np.float32)
        for layer in range(1 + self.layers):
            # Palette, palette, then flat, wide, soft, ... and the picture as it is on top.
            shares[layer, [_PALETTE, _PALETTE, *_FROM_BROAD][min(layer, 1 + len(_FROM_BROAD))]] = 3
        shares[-1] = 3 * (np.arange(_LOOKS + 1) == _SHARP)
        gates = np.zeros((self.layers, _KNOWN), np.float32)
        gates[0, _EDGES], gates[0, _ONES] = 6, -3
        self.shares.bias[...] = shares.reshape(-1)
        self.gates.bias[...] = gates.reshape(-1) / _STEEP

    def __call__(
        self,
        tokens_BthwD: Float[Array, "b t h w d"],
        reference_BHWC: Float[Array, "b h w 3"],
        segments_BHW: UInt8[Array, "b h w"],
        summary_BE: Float[Array, "b e"],
        progress_BT: Float[Array, "b t"],
    ) -> Float[Array, "b t h w 3"]:
        """The video, float32.

        Args:
          tokens_BthwD: the transformer's last, normalised.
          reference_BHWC: RGB in [-1, 1]; zero where it is dropped.
          segments_BHW: label map; zeros = none.
          summary_BE: of medium and text.
          progress_BT: share of the painting time.
        """
        looks_BHWLC, known_BHWF = _seen(reference_BHWC, segments_BHW)
        moment_BtE = jnp.concatenate(
            [jnp.repeat(summary_BE[:, None], progress_BT.shape[1], 1), _moments(progress_BT)], -1
        )
        manner_BtD = self.manner(moment_BtE.astype(self.dtype))
        tokens_BhwtD = jnp.moveaxis(tokens_BthwD, 1, 3) + manner_BtD[:, None, None]
        # P are the pixels of a quarter patch, side by side in memory; N the four patches whose
        # centres are around it.
        hats_1hwNP = self._quarters(self._hats(*reference_BHWC.shape[1:3])[None])
        known_BhwNFP = hats_1hwNP[..., None, :] * self._quarters(known_BHWF)[:, :, :, None]
        gates_BhwtGF = self.gates(tokens_BhwtD)
        gates_BhwtGF = gates_BhwtGF.reshape(*tokens_BhwtD.shape[:-1], self.layers, _KNOWN)
        # What is known is the same on every frame: one matrix product makes all frames.
        gates_BhwtGP = jnp.einsum("bhwntgf,bhwnfp->bhwtgp", _around(gates_BhwtGF), known_BhwNFP)
        seen_GBhwtP = _visible(jax.nn.sigmoid(_STEEP * gates_BhwtGP))
        # Sums over few terms are written out: as reductions they take ten times as long, or crash
        # the CPU compiler of jaxlib 0.10.2.
        parts = [
            hats_1hwNP[:, :, :, None, corner] * seen_BhwtP
            for corner in range(4)
            for seen_BhwtP in seen_GBhwtP
        ]
        paints_BhwtXM = jnp.moveaxis(_around(self._paints(tokens_BhwtD, manner_BtD)), 3, 4)
        paints_BhwtXM = paints_BhwtXM.reshape(*paints_BhwtXM.shape[:4], len(parts), -1)
        paint_BhwtMP = jnp.einsum("bhwtxm,bhwtxp->bhwtmp", paints_BhwtXM, jnp.stack(parts, 4))
        *shares, red, green, blue = jnp.unstack(paint_BhwtMP, axis=4)
        looks_BhwLCP = self._quarters(looks_BHWLC.reshape(*known_BHWF.shape[:3], -1))
        looks_BhwLCP = looks_BhwLCP.reshape(*looks_BhwLCP.shape[:3], _LOOKS, 3, -1)
        channels = [
            own + sum(share * looks_BhwLCP[:, :, :, None, l, c] for l, share in enumerate(shares))
            for c, own in enumerate((red, green, blue))
        ]
        video = jnp.moveaxis(jnp.stack(channels, -1).astype(jnp.float32), 3, 1)
        return unpatchify(video.reshape(*video.shape[:4], -1), self.quarter)

    def _paints(self, tokens_BhwtD, manner_BtD) -> Float[Array, "b h w t g m"]:
        """Of each layer, the ground first: shares of the looks, then the colour's part."""
        shape = (*tokens_BhwtD.shape[:-1], 1 + self.layers)
        shares = jax.nn.softmax(self.shares(tokens_BhwtD).reshape(*shape, _LOOKS + 1))
        colours_BtGC = self.palette(manner_BtD).reshape(shape[0], shape[3], shape[4], 3)
        own = shares[..., _LOOKS:] * colours_BtGC[:, None, None]
        return jnp.concatenate([shares[..., :_LOOKS], own], -1)

    def _hats(self, height: int, width: int) -> Float[Array, "h w 4"]:
        """Bilinear weights of the four patches whose centres are around each pixel."""
        v, u = (
            ((jnp.arange(extent) + 0.5) / side + 0.5) % 1
            for extent, side in zip((height, width), self.patch[1:], strict=True)
        )
        v, u = jnp.meshgrid(v, u, indexing="ij")
        return jnp.stack([(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u], -1)

    def _quarters(self, values_BHWF) -> Float[Array, "b h w f p"]:
        """Cuts a picture into quarters of patches."""
        cells = patchify(values_BHWF[:, None].astype(self.dtype), self.quarter)[:, 0]
        return cells.reshape(*cells.shape[:-1], self.quarter[1] * self.quarter[2], -1).swapaxes(
            -1, -2
        )


def _visible(gates_BhwtGP: Float[Array, "b h w t g p"]) -> list[Float[Array, "b h w t p"]]:
    """The share of the ground, then of each layer, that is seen through the layers above it."""
    through, shares = 1.0, []
    for gate in jnp.unstack(gates_BhwtGP, axis=4)[::-1]:
        shares.append(through * gate)
        through = through * (1 - gate)
    return [through, *shares[::-1]]


def _around(values_Bhwx: Float[Array, "b h w *x"]) -> Float[Array, "b h2 w2 4 *x"]:
    """For each quarter patch the values of the four patches around; the outermost are repeated."""
    edge = [(0, 0), (1, 1), (1, 1)] + [(0, 0)] * (values_Bhwx.ndim - 3)
    x = jnp.pad(values_Bhwx, edge, mode="edge").repeat(2, 1).repeat(2, 2)
    # Of each row of patches the upper quarters look up, the lower down.
    rows, columns = x.shape[1] - 4, x.shape[2] - 4
    return jnp.stack([x[:, i : i + rows, j : j + columns] for i in (1, 3) for j in (1, 3)], 3)


def _seen(
    reference_BHWC: Float[Array, "b h w 3"], segments_BHW: UInt8[Array, "b h w"]
) -> tuple[Float[Array, "b h w l 3"], Float[Array, "b h w f"]]:
    """Looks of the reference, and what is known of each pixel."""
    blurs = [gaussian_blur(reference_BHWC, sigma) for sigma in _BLURS]
    flat = segments.flat_colours(reference_BHWC, segments_BHW)
    grey = jnp.broadcast_to(reference_BHWC.mean(-1, keepdims=True), reference_BHWC.shape)
    looks_BHWLC = jnp.stack([reference_BHWC, grey, *blurs, flat], 3)
    sharp, _, soft, wide, plain = jnp.unstack(looks_BHWLC.mean(-1), axis=3)
    edges_BHW = _edges(gaussian_blur(reference_BHWC, 0.8))
    broad_BHW = gaussian_blur(edges_BHW[..., None], 2.0)[..., 0]
    lines_BHW = jnp.tanh(12 * (wide - soft))
    known = [soft, wide, plain, edges_BHW, broad_BHW, 4 * (edges_BHW - broad_BHW), lines_BHW]
    known += [jnp.abs(sharp - soft) * 4, jnp.abs(soft - wide) * 4, jnp.abs(soft - plain) * 4]
    height, width = sharp.shape[1:]
    known_BHWF = jnp.concatenate(
        [
            jnp.stack([*known, jnp.ones_like(sharp)], -1),
            segments.segment_features(segments_BHW, 1),
            segments.turns(segments_BHW),
            jnp.broadcast_to(_places(height, width), (*sharp.shape, 3)),
        ],
        -1,
    )
    return looks_BHWLC, known_BHWF


def _moments(progress_BT: Float[Array, "b t"]) -> Float[Array, "b t e"]:
    """Sinusoids of the progress, fine enough to tell stages apart."""
    angles = jnp.pi * progress_BT[..., None] * 2.0 ** jnp.arange(_MOMENTS // 2)
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1)


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
