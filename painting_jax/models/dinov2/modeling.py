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
from painting_jax.models.patch_embedding import PatchConv
from painting_jax.models.vit_blocks import BlocksConfig, blocks, layer_norm, run, run_first

_EPS = 1e-6

# Of ImageNet, RGB in [0, 1].
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)


@dataclasses.dataclass(frozen=True)
class DINOv2Config:
    """Sizes of a DINOv2 vision transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: of the attention.
      ffn_dim: hidden width of the feed-forward.
      gated: the feed-forward is SwiGLU.
      registers: R, tokens without a place.
      image_size: pixels a side that the table of positions is for; others are interpolated.
      patch: pixels a side of a token.
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
      config: sizes.
      rngs: of the parameters.
      dtype: projections are computed in; normalisations and the stream of tokens are float32.
    """

    def __init__(self, config: DINOv2Config, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.config = config
        dim, side = config.dim, config.image_size // config.patch
        self.patch_embedding = PatchConv(dim, config.patch, dtype=dtype, rngs=rngs)
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
        """The class token and those of the patches, float32, normalised by the last layer.

        Args:
          pixels_BHWC: as `preprocess` makes them; a rest of a patch is cut off.
        """
        tokens_BLD, grid = self._tokens(pixels_BHWC)
        x_BLD = self.norm_out(run(self.blocks, tokens_BLD))
        patches_BLD = x_BLD[:, 1 + self.config.registers :]
        return x_BLD[:, 0], patches_BLD.reshape(len(x_BLD), *grid, -1)

    def embed(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
        """The class token alone, which takes less."""
        return self.norm_out(run_first(self.blocks, self._tokens(pixels_BHWC)[0]))

    def _tokens(
        self, pixels_BHWC: Float[Array, "b h w 3"]
    ) -> tuple[Float[Array, "b l d"], tuple[int, int]]:
        """What the blocks take, and the grid of the patches among it."""
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
        """The table of positions, resampled to a grid of patches: float32[1 + h w, D]."""
        table_LD = self.positions[...]
        side = math.isqrt(len(table_LD) - 1)
        # As published: a picture that is not square is resampled even if its patches fit.
        if (height * width, pixels[0]) == (side * side, pixels[1]):
            return table_LD
        # The two releases differ in how they resample.
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
    """What DINOv2 takes, of 8-bit RGB pictures of any extents, as it is published.

    The shorter side becomes `resized`, the longer keeps the aspect (rounded down), the central
    `kept` x `kept` are left; then [0, 1] less ImageNet's mean, over its standard deviation. The
    resized pixels are Pillow's to the last bit.

    Raises:
      ValueError: for pictures that are not uint8.
    """
    return pillow.normalised(
        pillow.resize_short_and_crop(pictures_BHWC, resized, kept), _MEAN, _STD
    )


def preprocess_whole(
    pictures_BHWC: UInt8[Array, "b h w 3"], short: int = 224, patch: int = 14
) -> Float[Array, "b y x 3"]:
    """The whole picture for the tokens of its patches: nothing is cropped.

    Both sides become multiples of `patch`, the shorter one `short`, the longer one what is nearest
    to the aspect. Else as `preprocess`.
    """
    _, height, width, _ = pictures_BHWC.shape
    sides = (
        max(1, round(short * side / (min(height, width) * patch))) * patch
        for side in (height, width)
    )
    return pillow.normalised(pillow.resize(pictures_BHWC, *sides), _MEAN, _STD)


def _cubic(old: int, new: int) -> np.ndarray:
    """Weights of torch's bicubic interpolation (a = -3/4, edges repeated): float32[new, old]."""
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
