"""The pixel models' output: each token writes the layers of paint that its pixels receive.

A transformer of few, large patches is cheap, but 16 x 16 pixels do not pass through a token. What
they show is mostly known, though: canvas here, a broad mass of the picture's colour there, the
finished picture elsewhere. So a token writes a few layers of paint, each laid over those below. Of
a layer it gives the paint (looks of the reference and a colour of the palette, in shares) and a
gate, a linear function of what is known of a pixel: forms, light, place, when its region's turn
comes. What medium, text and progress tell by themselves need not pass through the transformer: the
tokens are added to it, and the palette is made from it.
Being a mixture, the result keeps the colours of a picture like no other. Between the centres of
patches the weights are interpolated, so that patches leave no seams. Patch-wise neural fields in
pixel diffusion models are its kin (arXiv 2507.23268).
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, UInt8

from painting_jax.models.layers import EmbeddingMLP, linear, patchify, unpatchify
from painting_jax.models.painting import pixel_guides
from painting_jax.models.painting.pixel_guides import FORMS, LOOKS

_PALETTE = len(LOOKS)  # place of the palette's colour among a layer's paints
_FROM_THE_GROUND = (_PALETTE, _PALETTE, *(LOOKS.index(look) for look in ("flat", "wide", "soft")))
_MOMENTS = 8  # sinusoids of the progress, fine enough to tell stages apart
_STEEP = 4.0 * len(FORMS) ** -0.5  # of the gates: boundaries are sharp, and weights start small


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
        self.gates = linear(dim, len(FORMS) * layers, rngs=rngs, dtype=dtype)
        self.shares = linear(dim, (_PALETTE + 1) * (1 + layers), rngs=rngs, dtype=dtype)
        self.manner = EmbeddingMLP(summary_dim + _MOMENTS, dim, jax.nn.silu, rngs=rngs, dtype=dtype)
        self.palette = linear(dim, 3 * (1 + layers), rngs=rngs, dtype=dtype)
        self._start_in_painting_order()

    def _start_in_painting_order(self) -> None:
        """Sets biases: dark lines over a light ground, masses, finer forms, on top the picture."""
        shares = np.zeros((1 + self.layers, _PALETTE + 1), np.float32)
        for layer in range(self.layers):
            shares[layer, _FROM_THE_GROUND[min(layer, len(_FROM_THE_GROUND) - 1)]] = 3
        shares[-1, LOOKS.index("sharp")] = 3
        gates = np.zeros((self.layers, len(FORMS)), np.float32)
        gates[0, FORMS.index("edges")], gates[0, FORMS.index("one")] = 6, -3
        colours = np.zeros((1 + self.layers, 3), np.float32)
        colours[0], colours[1] = 0.5, -0.5
        self.palette.bias[...] = colours.reshape(-1)
        self.shares.bias[...] = shares.reshape(-1)
        self.gates.bias[...] = gates.reshape(-1) / _STEEP

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
          tokens_BthwD: the transformer's last, normalised.
          reference_BHWC: RGB in [-1, 1]; zero where it is dropped.
          segments_BHW: label map; zeros = none.
          summary_BE: of medium and text.
          progress_BT: share of the painting time.
        """
        looks_BHWLC, forms_BHWF = pixel_guides.see(reference_BHWC, segments_BHW)
        manner_BtD = self.moment(summary_BE, progress_BT)
        tokens_BhwtD = jnp.moveaxis(tokens_BthwD, 1, 3) + manner_BtD[:, None, None]
        # P are the pixels of a quarter patch, side by side in memory; N the four patches whose
        # centres are around it.
        hats_1hwNP = self._quarters(self._hats(*reference_BHWC.shape[1:3])[None])
        forms_BhwNFP = hats_1hwNP[..., None, :] * self._quarters(forms_BHWF)[:, :, :, None]
        gates_BhwtGF = self.gates(tokens_BhwtD)
        gates_BhwtGF = gates_BhwtGF.reshape(*tokens_BhwtD.shape[:-1], self.layers, len(FORMS))
        # A pixel's forms are the same on every frame: one matrix product makes all frames.
        gates_BhwtGP = jnp.einsum("bhwntgf,bhwnfp->bhwtgp", _around(gates_BhwtGF), forms_BhwNFP)
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
        looks_BhwLCP = self._quarters(looks_BHWLC.reshape(*forms_BHWF.shape[:3], -1))
        looks_BhwLCP = looks_BhwLCP.reshape(*looks_BhwLCP.shape[:3], len(LOOKS), 3, -1)
        channels = [
            own + sum(share * looks_BhwLCP[:, :, :, None, l, c] for l, share in enumerate(shares))
            for c, own in enumerate((red, green, blue))
        ]
        video = jnp.moveaxis(jnp.stack(channels, -1).astype(jnp.float32), 3, 1)
        return unpatchify(video.reshape(*video.shape[:4], -1), self.quarter)

    def moment(
        self, summary_BE: Float[Array, "b e"], progress_BT: Float[Array, "b t"]
    ) -> Float[Array, "b t d"]:
        """What medium, text and progress tell by themselves, added to the tokens."""
        angles = jnp.pi * progress_BT[..., None] * 2.0 ** jnp.arange(_MOMENTS // 2)
        summary_BtE = jnp.repeat(summary_BE[:, None], progress_BT.shape[1], 1)
        features = jnp.concatenate([summary_BtE, jnp.cos(angles), jnp.sin(angles)], -1)
        return self.manner(features.astype(self.dtype))

    def _paints(self, tokens_BhwtD, manner_BtD) -> Float[Array, "b h w t g m"]:
        """Of each layer, the ground first: shares of the looks, then the colour's part."""
        shape = (*tokens_BhwtD.shape[:-1], 1 + self.layers)
        shares = jax.nn.softmax(self.shares(tokens_BhwtD).reshape(*shape, _PALETTE + 1))
        # One palette for the whole picture: colours that tokens choose err on unseen pictures.
        palette_BtGC = self.palette(manner_BtD).reshape(shape[0], shape[3], shape[4], 3)
        own = shares[..., len(LOOKS) :] * palette_BtGC[:, None, None]
        return jnp.concatenate([shares[..., : len(LOOKS)], own], -1)

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
    """Parameters of a head whose layers choose among paints more firmly.

    Trained on squared errors, a layer's paint is the mean of what it may be; a painter chooses.

    Args:
      params: of a `PixelHead`.
      firmness: 1 = the mean, larger = nearer to the likeliest.
    """
    return params | {"shares": {name: firmness * x for name, x in params["shares"].items()}}


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
