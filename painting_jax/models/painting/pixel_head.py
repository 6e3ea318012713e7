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

The guides are known of every pixel, whatever the size of the picture. So the tokens may see a small
picture while their layers are laid over a large one.

A mixture keeps the colours of the picture. The weights are interpolated between the centres of
patches, so that there are no seams. The method is related to patch-wise neural fields in pixel
diffusion models (arXiv 2507.23268).
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, Shaped

from painting_jax.models.layers import EmbeddingMLP, linear, patchify, unpatchify
from painting_jax.models.painting.brushwork import Brush, in_strokes
from painting_jax.models.painting.picture import Picture
from painting_jax.models.painting.pixel_guides import (
    BEHIND,
    DIRECTED,
    GUIDES,
    PAINTS,
    guide_names,
    paint_names,
    paints_and_guides,
)

# Initial paints of the ground and the layers over it; the palette's colour comes after the paints.
_INITIAL = ("palette", "palette", "behind", "flat", "wide", "soft")
_SINUSOIDS = 8  # of the progress, fine enough to tell stages apart
# Scale of the gates: boundaries become sharp although the weights start small.
_STEEPNESS = 4.0 * len(GUIDES) ** -0.5
# Widths of the brushes that lay soft paints, in pixels of the tokens' picture.
_BRUSH_WIDTHS = {"soft": 2.0, "wide": 4.0, "behind": 4.0}
# Scale of the direction: one word of a dozen soon decides it.
_SWIFT = 3.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Window:
    """A part of a picture, counted in quarters of patches.

    Attributes:
      corner_B2: first row and first column.
      rows: number of rows.
      columns: number of columns.
    """

    corner_B2: Int[Array, "b 2"]
    rows: int = dataclasses.field(metadata={"static": True})
    columns: int = dataclasses.field(metadata={"static": True})

    def cut(self, cells_Bhwx: Shaped[Array, "b h w *x"]) -> Shaped[Array, "b h2 w2 *x"]:
        """The cells of the window."""
        size = (self.rows, self.columns, *cells_Bhwx.shape[3:])
        rest = (0,) * (cells_Bhwx.ndim - 3)

        def of_one(cells_hwx, corner_2):
            return jax.lax.dynamic_slice(cells_hwx, (corner_2[0], corner_2[1], *rest), size)

        return jax.vmap(of_one)(cells_Bhwx, self.corner_B2)

    def pixels(
        self, video_BTHWC: Float[Array, "b t h w c"], size_HW: tuple[int, int]
    ) -> Float[Array, "b t h2 w2 c"]:
        """The window of a video, which has that many pixels."""
        size = (video_BTHWC.shape[1], *size_HW, video_BTHWC.shape[-1])
        quarter_2 = jnp.array([size_HW[0] // self.rows, size_HW[1] // self.columns])

        def of_one(video_THWC, corner_2):
            row, column = corner_2 * quarter_2
            return jax.lax.dynamic_slice(video_THWC, (0, row, column, 0), size)

        return jax.vmap(of_one)(video_BTHWC, self.corner_B2)


class _Cells(NamedTuple):
    """What the pixels of each quarter of a patch are made of.

    P are its pixels, side by side in memory, N the four patches whose centres are around it, F the
    guides, X the channels of the paints, G the layers and M their shares of the paints.
    """

    hats_BhwNP: Float[Array, "b h w 4 p"]
    guides_BhwFP: Float[Array, "b h w f p"]
    paints_BhwXP: Float[Array, "b h w x p"]
    gates_BhwNtGF: Float[Array, "b h w 4 t g f"]
    shares_BhwNtGM: Float[Array, "b h w 4 t g2 m"]


class PixelHead(nnx.Module):
    """Layers of paint for the pixels, from the tokens of a transformer.

    Args:
      dim: width of the tokens.
      layers: G, number of layers over the ground.
      summary_dim: width of the summary of medium and text.
      patch: patch of the transformer, one frame deep.
      text_dim: width of the text in a summary, which precedes the medium, if the text gives the
        direction in which strokes advance; 0 = no direction.
      behind: whether it is told what lies behind the regions.
      canvas: whether it is told the canvas from which a process goes on.
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
        behind: bool = False,
        canvas: bool = False,
        rngs,
        dtype,
    ):
        self.patch = patch
        self.layers = layers
        self.dtype = dtype
        self.text_dim = text_dim
        self.paints = paint_names(behind=behind, canvas=canvas)
        self.guides = guide_names(directed=bool(text_dim), behind=behind, canvas=canvas)
        self.gates = linear(dim, len(self.guides) * layers, rngs=rngs, dtype=dtype)
        mixed = (len(self.paints) + 1) * (1 + layers)
        self.shares = linear(dim, mixed, rngs=rngs, dtype=dtype)
        self.manner = EmbeddingMLP(
            summary_dim + _SINUSOIDS, dim, jax.nn.silu, rngs=rngs, dtype=dtype
        )
        self.palette = linear(dim, 3 * (1 + layers), rngs=rngs, dtype=dtype)
        if text_dim:
            self.direction = linear(text_dim, 3, rngs=rngs, dtype=jnp.float32)
        self._start_in_painting_order()

    def _start_in_painting_order(self) -> None:
        """Sets biases: dark lines on a light ground, masses, finer forms, the picture on top."""
        names = (*self.paints, "palette")
        initial = [name for name in _INITIAL if name in names]
        shares = np.zeros((1 + self.layers, len(names)), np.float32)
        for layer in range(self.layers):
            shares[layer, names.index(initial[min(layer, len(initial) - 1)])] = 3
        shares[-1, PAINTS.index("sharp")] = 3
        gates = np.zeros((self.layers, len(self.guides)), np.float32)
        gates[0, GUIDES.index("edges")], gates[0, GUIDES.index("one")] = 6, -3
        # What comes later is painted less at any moment. Without this, neither the direction nor
        # the weight of its guides would be learned before the other is.
        for name in set(DIRECTED) & set(self.guides):
            gates[:, self.guides.index(name)] = -1
        if "behind" in self.paints and self.layers > 1:
            # What lies behind has its own turn. The ground is no layer with a gate.
            layer = initial.index("behind") - 1
            gates[layer] = 0
            gates[layer, [self.guides.index(name) for name in BEHIND]] = 1, -1
        colours = np.zeros((1 + self.layers, 3), np.float32)
        colours[0], colours[1] = 0.5, -0.5
        self.palette.bias[...] = colours.reshape(-1)
        self.shares.bias[...] = shares.reshape(-1)
        self.gates.bias[...] = gates.reshape(-1) / _STEEPNESS

    def __call__(
        self,
        tokens_BthwD: Float[Array, "b t h2 w2 d"],
        picture: Picture,
        summary_BE: Float[Array, "b e"],
        progress_BT: Float[Array, "b t"],
        *,
        window: Window | None = None,
        brush: Brush | None = None,
        in_strips: bool = False,
    ) -> Float[Array, "b t h3 w3 3"]:
        """The video, float32.

        Args:
          tokens_BthwD: tokens after the last block, normalised.
          picture: what is painted. It may be larger than the picture that the tokens saw: its sides
            are even multiples of the grid of tokens.
          summary_BE: summary of medium and text.
          progress_BT: share of the painting time.
          window: part of the picture that is wanted; None = all of it.
          brush: brush of each picture, with which soft paints are laid in strokes where the picture
            is larger than the one that the tokens saw; None = they stay soft.
          in_strips: whether the pixels are made strip by strip, which bounds the memory.
        """
        size_HW = picture.segments_BHW.shape[1:]
        side_HW = self._pixels_of_a_patch(tokens_BthwD.shape[2:4], size_HW)
        quarter = (1, side_HW[0] // 2, side_HW[1] // 2)
        direction_B3 = None
        if self.text_dim:
            direction_B3 = _SWIFT * self.direction(summary_BE[:, : self.text_dim])
        scale = side_HW[0] / self.patch[1]
        paints_BHWLC, guides_BHWF = paints_and_guides(picture, direction_B3, scale)
        if brush is not None and scale > 1:
            paints_BHWLC = self._in_strokes(paints_BHWLC, scale, brush)
        manner_BtD = self.moment(summary_BE, progress_BT)
        tokens_BhwtD = jnp.moveaxis(tokens_BthwD, 1, 3) + manner_BtD[:, None, None]
        gates_BhwtGF = self.gates(tokens_BhwtD)
        shape = (*tokens_BhwtD.shape[:-1], self.layers, len(self.guides))
        gates_BhwtGF = gates_BhwtGF.reshape(shape)
        hats_1HWN = self._hats(side_HW, size_HW)[None]
        paints_BHWX = paints_BHWLC.reshape(*guides_BHWF.shape[:3], -1)
        cells = _Cells(
            self._quarters(jnp.broadcast_to(hats_1HWN, (*guides_BHWF.shape[:3], 4)), quarter),
            self._quarters(guides_BHWF, quarter),
            self._quarters(paints_BHWX, quarter),
            _around(gates_BhwtGF),
            _around(self._mixture(tokens_BhwtD, manner_BtD)),
        )
        if window is not None:
            cells = jax.tree.map(window.cut, cells)
        if in_strips:
            strips = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0)[:, :, None], cells)
            video_BhwtPC = jnp.moveaxis(jax.lax.map(self._mixed, strips)[:, :, 0], 0, 1)
        else:
            video_BhwtPC = self._mixed(cells)
        video = jnp.moveaxis(video_BhwtPC, 3, 1)
        return unpatchify(video.reshape(*video.shape[:4], -1), quarter)

    def _in_strokes(
        self, paints_BHWLC: Float[Array, "b h w l 3"], scale: float, brush: Brush
    ) -> Float[Array, "b h w l 3"]:
        """The paints, those that are soft in strokes of a width that suits each."""
        widths = {
            name: scale * width for name, width in _BRUSH_WIDTHS.items() if name in self.paints
        }
        soft = [paints_BHWLC[:, :, :, self.paints.index(name)] for name in widths]
        strokes = dict(zip(widths, in_strokes(soft, [*widths.values()], brush), strict=True))
        paints = [
            strokes.get(name, paints_BHWLC[:, :, :, place])
            for place, name in enumerate(self.paints)
        ]
        return jnp.stack(paints, 3)

    def _mixed(self, cells: "_Cells") -> Float[Array, "b h w t p 3"]:
        """The pixels of quarters: layers of paint, each seen through the gates above it."""
        guides_BhwNFP = cells.hats_BhwNP[..., None, :] * cells.guides_BhwFP[:, :, :, None]
        # The guides of a pixel are the same on every frame: one matrix product serves all frames.
        gates_BhwtGP = jnp.einsum("bhwntgf,bhwnfp->bhwtgp", cells.gates_BhwNtGF, guides_BhwNFP)
        seen_GBhwtP = _visible(jax.nn.sigmoid(_STEEPNESS * gates_BhwtGP))
        # Sums of few terms are written out: as reductions they crash the CPU compiler of jaxlib
        # 0.10.2.
        parts = [
            cells.hats_BhwNP[:, :, :, None, corner] * seen_BhwtP
            for corner in range(4)
            for seen_BhwtP in seen_GBhwtP
        ]
        shares_BhwtXM = jnp.moveaxis(cells.shares_BhwNtGM, 3, 4)
        shares_BhwtXM = shares_BhwtXM.reshape(*shares_BhwtXM.shape[:4], len(parts), -1)
        paint_BhwtMP = jnp.einsum("bhwtxm,bhwtxp->bhwtmp", shares_BhwtXM, jnp.stack(parts, 4))
        *shares, red, green, blue = jnp.unstack(paint_BhwtMP, axis=4)
        paints_BhwXP = cells.paints_BhwXP
        paints_BhwLCP = paints_BhwXP.reshape(*paints_BhwXP.shape[:3], len(self.paints), 3, -1)
        channels = [
            own + sum(share * paints_BhwLCP[:, :, :, None, l, c] for l, share in enumerate(shares))
            for c, own in enumerate((red, green, blue))
        ]
        return jnp.stack(channels, -1).astype(jnp.float32)

    def _pixels_of_a_patch(
        self, grid_HW: tuple[int, int], size_HW: tuple[int, int]
    ) -> tuple[int, int]:
        """Height and width of a token's pixels in a picture of this size."""
        side_HW = size_HW[0] // grid_HW[0], size_HW[1] // grid_HW[1]
        even = side_HW[0] % 2 == side_HW[1] % 2 == 0
        # A picture is enlarged alike in both directions.
        alike = side_HW[0] * self.patch[2] == side_HW[1] * self.patch[1]
        whole = size_HW == (side_HW[0] * grid_HW[0], side_HW[1] * grid_HW[1])
        if not (even and alike and whole):
            raise ValueError(f"a picture of {size_HW} pixels for {grid_HW} tokens")
        return side_HW

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
        shares = jax.nn.softmax(self.shares(tokens_BhwtD).reshape(*shape, len(self.paints) + 1))
        # One palette for the whole picture: colours from tokens are wrong on unseen pictures.
        palette_BtGC = self.palette(manner_BtD).reshape(shape[0], shape[3], shape[4], 3)
        own = shares[..., len(self.paints) :] * palette_BtGC[:, None, None]
        return jnp.concatenate([shares[..., : len(self.paints)], own], -1)

    def _hats(self, side_HW: tuple[int, int], size_HW: tuple[int, int]) -> Float[Array, "h w 4"]:
        """Bilinear weights of the four patches whose centres are around each pixel."""
        v, u = (
            ((jnp.arange(extent) + 0.5) / side + 0.5) % 1
            for extent, side in zip(size_HW, side_HW, strict=True)
        )
        v, u = jnp.meshgrid(v, u, indexing="ij")
        return jnp.stack([(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u], -1)

    def _quarters(self, values_BHWF, quarter: tuple[int, int, int]) -> Float[Array, "b h w f p"]:
        """Cuts a picture into quarters of patches, whose pixels lie side by side in memory."""
        cells = patchify(values_BHWF[:, None].astype(self.dtype), quarter)[:, 0]
        return cells.reshape(*cells.shape[:-1], quarter[1] * quarter[2], -1).swapaxes(-1, -2)


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
