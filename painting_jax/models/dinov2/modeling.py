"""DINOv2 (Oquab et al., arXiv 2304.07193), with registers (Darcet et al., 2309.16588) or without.

The reference implementations are `Dinov2Model`, `Dinov2WithRegistersModel` and
`BitImageProcessorPil` of transformers.

Shapes: B batch, H W height and width in pixels, h w in patches, R registers, D width.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, UInt8

from painting_jax.models import pillow_resize as pillow
from painting_jax.models.vit_blocks import (
    BlocksConfig,
    PatchEmbedding,
    blocks,
    layer_norm,
    run,
    run_first,
)

_EPS = 1e-6

# Mean and standard deviation of ImageNet, RGB in [0, 1].
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)


@dataclasses.dataclass(frozen=True)
class DINOv2Config:
    """Config of a DINOv2 vision transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: number of attention heads.
      ffn_dim: hidden width of the feed-forward.
      gated: whether the feed-forward is SwiGLU.
      registers: R, number of register tokens, which belong to no patch.
      image_size: height and width in pixels that the table of positions is for. It is interpolated
        for other sizes.
      patch: height and width of a patch in pixels.
    """

    dim: int
    layers: int
    heads: int
    ffn_dim: int
    gated: bool = False
    registers: int = 0
    image_size: int = 518
    patch: int = 14

    @property
    def blocks(self) -> BlocksConfig:
        return BlocksConfig(
            self.dim,
            self.layers,
            self.heads,
            self.ffn_dim,
            eps=_EPS,
            scaled=True,
            gated=self.gated,
        )


_PLAIN: dict[str, DINOv2Config] = {
    "vit_s_14": DINOv2Config(384, 12, 6, 1536),
    "vit_b_14": DINOv2Config(768, 12, 12, 3072),
    "vit_l_14": DINOv2Config(1024, 24, 16, 4096),
    "vit_g_14": DINOv2Config(1536, 40, 24, 4096, gated=True),
}
SIZES: dict[str, DINOv2Config] = _PLAIN | {
    f"{name}_registers": dataclasses.replace(config, registers=4) for name, config in _PLAIN.items()
}


class DINOv2(nnx.Module):
    """Preprocessed pictures of any size to tokens.

    Args:
      config: config.
      rngs: random numbers for the initial parameters.
      dtype: dtype of the projections; normalisations and the residual stream are float32.
    """

    def __init__(self, config: DINOv2Config, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.config = config
        dim, side = config.dim, config.image_size // config.patch
        self.patch_embedding = PatchEmbedding(dim, config.patch, rngs=rngs, dtype=dtype)
        self.class_token = nnx.Param(0.02 * jax.random.normal(rngs.params(), (dim,)))
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), (1 + side * side, dim)))
        if config.registers:
            self.registers = nnx.Param(
                0.02 * jax.random.normal(rngs.params(), (config.registers, dim))
            )
        self.blocks = blocks(config.blocks, rngs=rngs, dtype=dtype)
        self.norm_out = layer_norm(dim, _EPS, rngs)

    def __call__(
        self, pixels_BHWC: Float[Array, "b h w 3"]
    ) -> tuple[Float[Array, "b d"], Float[Array, "b h2 w2 d"]]:
        """The class token and the patch tokens after the last normalisation, float32.

        Args:
          pixels_BHWC: pictures from `preprocess`. An incomplete patch at the end is cut off.
        """
        tokens_BLD, grid = self._tokens(pixels_BHWC)
        x_BLD = self.norm_out(run(self.blocks, tokens_BLD))
        patches_BLD = x_BLD[:, 1 + self.config.registers :]
        return x_BLD[:, 0], patches_BLD.reshape(len(x_BLD), *grid, -1)

    def embed(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
        """The class token alone, for which the last block computes less."""
        return self.norm_out(run_first(self.blocks, self._tokens(pixels_BHWC)[0]))

    def _tokens(
        self, pixels_BHWC: Float[Array, "b h w 3"]
    ) -> tuple[Float[Array, "b l d"], tuple[int, int]]:
        """The tokens that enter the blocks, and height and width of the grid of patches."""
        config = self.config
        patches_BhwD = self.patch_embedding(pixels_BHWC).astype(jnp.float32)
        batch, height, width, dim = patches_BhwD.shape
        positions_LD = self._positions(height, width, pixels_BHWC.shape[1:3])
        class_D = self.class_token[...] + positions_LD[0]
        first = [class_D[None]] + ([self.registers[...]] if config.registers else [])
        first_BRD = jnp.broadcast_to(jnp.concatenate(first), (batch, 1 + config.registers, dim))
        patches_BLD = patches_BhwD.reshape(batch, -1, dim) + positions_LD[1:]
        return jnp.concatenate([first_BRD, patches_BLD], 1), (height, width)

    def _positions(self, height: int, width: int, pixels: tuple[int, int]):
        """The table of positions, interpolated to a grid of patches: float32[1 + h w, D]."""
        table_LD = self.positions[...]
        side = math.isqrt(len(table_LD) - 1)
        # As published, a picture that is not square is interpolated even if the numbers match.
        if (height * width, pixels[0]) == (side * side, pixels[1]):
            return table_LD
        # The releases with and without registers interpolate differently.
        weights = _antialiased if self.config.registers else _cubic
        table_hwD = jnp.einsum(
            "ys,xt,std->yxd",
            weights(side, height),
            weights(side, width),
            table_LD[1:].reshape(side, side, -1),
            precision=jax.lax.Precision.HIGHEST,
        )
        return jnp.concatenate([table_LD[:1], table_hwD.reshape(height * width, -1)])


def preprocess(
    pictures_BHWC: UInt8[Array, "b h w 3"], resized: int = 256, kept: int = 224
) -> Float[Array, "b k k 3"]:
    """8-bit RGB pictures of any size as DINOv2 takes them.

    The shorter side is resized to `resized` as Pillow does it, bit for bit, and the longer one in
    proportion, rounded down. The centre of `kept` x `kept` pixels is cropped and normalised with
    the mean and standard deviation of ImageNet.

    Raises:
      ValueError: if the pictures are not uint8.
    """
    return pillow.normalised(
        pillow.resize_short_and_crop(pictures_BHWC, resized, kept), _MEAN, _STD
    )


def preprocess_whole(
    pictures_BHWC: UInt8[Array, "b h w 3"], short: int = 224, patch: int = 14
) -> Float[Array, "b y x 3"]:
    """Like `preprocess`, without cropping, for the patch tokens of the whole picture.

    The shorter side is resized to `short`, a multiple of `patch`. The longer one is resized to the
    multiple that comes nearest to the aspect ratio.
    """
    _, height, width, _ = pictures_BHWC.shape
    sides = (
        max(1, round(short * side / (min(height, width) * patch))) * patch
        for side in (height, width)
    )
    return pillow.normalised(pillow.resize(pictures_BHWC, *sides), _MEAN, _STD)


def _cubic(old: int, new: int) -> np.ndarray:
    """Weights of torch's bicubic interpolation (a = -3/4, repeated edges): float32[new, old]."""
    at_N = (np.arange(new) + 0.5) * (old / new) - 0.5
    first_N = np.floor(at_N).astype(int)
    weight_NO = np.zeros((new, old))
    for tap in range(-1, 3):
        source_N = first_N + tap
        np.add.at(
            weight_NO,
            (np.arange(new), np.clip(source_N, 0, old - 1)),
            pillow.cubic_kernel(at_N - source_N, -0.75),
        )
    return weight_NO.astype(np.float32)


def _antialiased(old: int, new: int) -> np.ndarray:
    """Weights of torch's antialiased bicubic interpolation: float32[new, old]."""
    scale = old / new
    stretch = max(scale, 1.0)
    centre_N1 = ((np.arange(new) + 0.5) * scale)[:, None]
    weight_NO = pillow.cubic_kernel((np.arange(old) + 0.5 - centre_N1) / stretch)
    return (weight_NO / weight_NO.sum(1, keepdims=True)).astype(np.float32)
