"""The output of the pixel models: each token writes layers of paint for its pixels.

A transformer with few, large patches is cheap, but 16 x 16 pixels do not fit into a token. Most of
what they show is known, though: canvas, a broad mass of the picture's colour, or the finished
picture. So a token writes a few layers of paint, each laid over those below. A layer has a paint
and a gate. The paint is a mixture of filtered versions of the reference and a colour of the
palette. The gate is a linear function of the guides of a pixel: edges, brightness, position,
painting time. Medium, text and progress need not pass through the transformer: an embedding of them
is added to the tokens and gives the palette. The text also gives the direction in which strokes
advance. Guides along that direction make every direction one case: gates alone would have to learn
each one anew for each stage of each medium.

A mixture keeps the colours of the picture. The weights are interpolated between the centres of
patches, so that there are no seams. The method is related to patch-wise neural fields in pixel
diffusion models (arXiv 2507.23268).
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, UInt8

from painting_jax.models.layers import EmbeddingMLP, linear, patchify, unpatchify
from painting_jax.models.painting.pixel_guides import (
    DIRECTED,
    GUIDES,
    PAINTS,
    paints_and_guides,
)

_PALETTE = len(PAINTS)  # index of the palette's colour among the paints of a layer
# Initial paints of the layers, from the ground up.
_INITIAL = (_PALETTE, _PALETTE, *(PAINTS.index(paint) for paint in ("flat", "wide", "soft")))
_SINUSOIDS = 8  # of the progress, fine enough to tell stages apart
# Scale of the gates: boundaries become sharp although the weights start small.
_STEEPNESS = 4.0 * len(GUIDES) ** -0.5
# Scale of the direction: one word of a dozen soon decides it.
_SWIFT = 3.0


class PixelHead(nnx.Module):
    """Layers of paint for the pixels, from the tokens of a transformer.

    Args:
      dim: width of the tokens.
      layers: G, number of layers over the ground.
      summary_dim: width of the summary of medium and text.
      patch: patch of the transformer, one frame deep.
      text_dim: width of the text in a summary, which precedes the medium, if the text gives the
        direction in which strokes advance; 0 = no direction.
      rngs: random numbers for the initial parameters.
      dtype: dtype of the computation.
    """

    def __init__(
        self,
        dim: int,
        layers: int,
        summary_dim: int,
        patch: tuple[int, int, int],
        *,
        text_dim: int = 0,
        rngs,
        dtype,
    ):
        self.patch = patch
        self.quarter = (1, patch[1] // 2, patch[2] // 2)
        self.layers = layers
        self.dtype = dtype
        self.text_dim = text_dim
        self.guides = GUIDES + (DIRECTED if text_dim else ())
        self.gates = linear(dim, len(self.guides) * layers, rngs=rngs, dtype=dtype)
        self.shares = linear(dim, (_PALETTE + 1) * (1 + layers), rngs=rngs, dtype=dtype)
        self.manner = EmbeddingMLP(
            summary_dim + _SINUSOIDS, dim, jax.nn.silu, rngs=rngs, dtype=dtype
        )
        self.palette = linear(dim, 3 * (1 + layers), rngs=rngs, dtype=dtype)
        if text_dim:
            self.direction = linear(text_dim, 3, rngs=rngs, dtype=jnp.float32)
        self._start_in_painting_order()

    def _start_in_painting_order(self) -> None:
        """Sets biases: dark lines on a light ground, masses, finer forms, the picture on top."""
        shares = np.zeros((1 + self.layers, _PALETTE + 1), np.float32)
        for layer in range(self.layers):
            shares[layer, _INITIAL[min(layer, len(_INITIAL) - 1)]] = 3
        shares[-1, PAINTS.index("sharp")] = 3
        gates = np.zeros((self.layers, len(self.guides)), np.float32)
        gates[0, GUIDES.index("edges")], gates[0, GUIDES.index("one")] = 6, -3
        # What comes later is painted less at any moment. Without this, neither the direction nor
        # the weight of its guides would be learned before the other is.
        gates[:, len(GUIDES) :] = -1
        colours = np.zeros((1 + self.layers, 3), np.float32)
        colours[0], colours[1] = 0.5, -0.5
        self.palette.bias[...] = colours.reshape(-1)
        self.shares.bias[...] = shares.reshape(-1)
        self.gates.bias[...] = gates.reshape(-1) / _STEEPNESS

    def __call__(
        self,
        tokens_BthwD: Float[Array, "b t h2 w2 d"],
        reference_BHWC: Float[Array, "b h w 3"],
        segments_BHW: UInt8[Array, "b h w"],
        summary_BE: Float[Array, "b e"],
        progress_BT: Float[Array, "b t"],
    ) -> Float[Array, "b t h w 3"]:
        """The video, float32.

        Args:
          tokens_BthwD: tokens after the last block, normalised.
          reference_BHWC: RGB in [-1, 1]; zeros = no reference.
          segments_BHW: segment map; zeros = none.
          summary_BE: summary of medium and text.
          progress_BT: share of the painting time.
        """
        direction_B3 = None
        if self.text_dim:
            direction_B3 = _SWIFT * self.direction(summary_BE[:, : self.text_dim])
        paints_BHWLC, guides_BHWF = paints_and_guides(reference_BHWC, segments_BHW, direction_B3)
        manner_BtD = self.moment(summary_BE, progress_BT)
        tokens_BhwtD = jnp.moveaxis(tokens_BthwD, 1, 3) + manner_BtD[:, None, None]
        # P are the pixels of a quarter of a patch, side by side in memory, and N the four patches
        # whose centres are around it.
        hats_1hwNP = self._quarters(self._hats(*reference_BHWC.shape[1:3])[None])
        guides_BhwNFP = hats_1hwNP[..., None, :] * self._quarters(guides_BHWF)[:, :, :, None]
        gates_BhwtGF = self.gates(tokens_BhwtD)
        shape = (*tokens_BhwtD.shape[:-1], self.layers, len(self.guides))
        gates_BhwtGF = gates_BhwtGF.reshape(shape)
        # The guides of a pixel are the same on every frame: one matrix product serves all frames.
        gates_BhwtGP = jnp.einsum("bhwntgf,bhwnfp->bhwtgp", _around(gates_BhwtGF), guides_BhwNFP)
        seen_GBhwtP = _visible(jax.nn.sigmoid(_STEEPNESS * gates_BhwtGP))
        # Sums of few terms are written out: as reductions they crash the CPU compiler of jaxlib
        # 0.10.2.
        parts = [
            hats_1hwNP[:, :, :, None, corner] * seen_BhwtP
            for corner in range(4)
            for seen_BhwtP in seen_GBhwtP
        ]
        shares_BhwtXM = jnp.moveaxis(_around(self._mixture(tokens_BhwtD, manner_BtD)), 3, 4)
        shares_BhwtXM = shares_BhwtXM.reshape(*shares_BhwtXM.shape[:4], len(parts), -1)
        paint_BhwtMP = jnp.einsum("bhwtxm,bhwtxp->bhwtmp", shares_BhwtXM, jnp.stack(parts, 4))
        *shares, red, green, blue = jnp.unstack(paint_BhwtMP, axis=4)
        paints_BhwLCP = self._quarters(paints_BHWLC.reshape(*guides_BHWF.shape[:3], -1))
        paints_BhwLCP = paints_BhwLCP.reshape(*paints_BhwLCP.shape[:3], len(PAINTS), 3, -1)
        channels = [
            own + sum(share * paints_BhwLCP[:, :, :, None, l, c] for l, share in enumerate(shares))
            for c, own in enumerate((red, green, blue))
        ]
        video = jnp.moveaxis(jnp.stack(channels, -1).astype(jnp.float32), 3, 1)
        return unpatchify(video.reshape(*video.shape[:4], -1), self.quarter)

    def moment(
        self, summary_BE: Float[Array, "b e"], progress_BT: Float[Array, "b t"]
    ) -> Float[Array, "b t d"]:
        """An embedding of medium, text and progress, to be added to the tokens."""
        angles = jnp.pi * progress_BT[..., None] * 2.0 ** jnp.arange(_SINUSOIDS // 2)
        summary_BtE = jnp.repeat(summary_BE[:, None], progress_BT.shape[1], 1)
        features = jnp.concatenate([summary_BtE, jnp.cos(angles), jnp.sin(angles)], -1)
        return self.manner(features.astype(self.dtype))

    def _mixture(self, tokens_BhwtD, manner_BtD) -> Float[Array, "b h w t g m"]:
        """Shares of the paints per layer, ground first; the palette's share times its colour."""
        shape = (*tokens_BhwtD.shape[:-1], 1 + self.layers)
        shares = jax.nn.softmax(self.shares(tokens_BhwtD).reshape(*shape, _PALETTE + 1))
        # One palette for the whole picture: colours from tokens are wrong on unseen pictures.
        palette_BtGC = self.palette(manner_BtD).reshape(shape[0], shape[3], shape[4], 3)
        own = shares[..., len(PAINTS) :] * palette_BtGC[:, None, None]
        return jnp.concatenate([shares[..., : len(PAINTS)], own], -1)

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


def firm(params: dict, firmness: float) -> dict:
    """Parameters of a head whose layers mix their paints less.

    Since the loss is a squared error, the paint of a layer is the mean of the likely ones. A
    painter chooses one.

    Args:
      params: parameters of a `PixelHead`.
      firmness: 1 = the mean; a larger value comes nearer to the likeliest paint.
    """
    return params | {"shares": {name: firmness * x for name, x in params["shares"].items()}}


def _visible(gates_BhwtGP: Float[Array, "b h w t g p"]) -> list[Float[Array, "b h w t p"]]:
    """The visible shares of the ground and of each layer under the layers above."""
    through, shares = 1.0, []
    for gate in jnp.unstack(gates_BhwtGP, axis=4)[::-1]:
        shares.append(through * gate)
        through = through * (1 - gate)
    return [through, *shares[::-1]]


def _around(values_Bhwx: Float[Array, "b h w *x"]) -> Float[Array, "b h2 w2 4 *x"]:
    """The values of the four patches around each quarter of a patch; edges are repeated."""
    edge = [(0, 0), (1, 1), (1, 1)] + [(0, 0)] * (values_Bhwx.ndim - 3)
    x = jnp.pad(values_Bhwx, edge, mode="edge").repeat(2, 1).repeat(2, 2)
    # Upper quarters of a row of patches take the row above, lower ones the row below.
    rows, columns = x.shape[1] - 4, x.shape[2] - 4
    return jnp.stack([x[:, i : i + rows, j : j + columns] for i in (1, 3) for j in (1, 3)], 3)
