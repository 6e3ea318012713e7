"""CLIP (Radford et al., arXiv 2103.00020): pictures and texts in a common space.

The vision tower alone is Wan 2.1's image encoder (ViT-H/14, weights of OpenCLIP). The reference
implementations are `CLIPModel`, `CLIPVisionModelWithProjection` and `CLIPImageProcessorPil` of
transformers.

Shapes: B batch, H W height and width, P patches per side, L = 1 + P P tokens of a picture (the
class token first) or tokens of a text, D width, E width of the common space.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, UInt8

from painting_jax.models import pillow_resize as pillow
from painting_jax.models.layers import linear
from painting_jax.models.vit_blocks import (
    BlocksConfig,
    PatchEmbedding,
    blocks,
    layer_norm,
    run,
    run_first,
)

_EPS = 1e-5

# Mean and standard deviation of CLIP's training pictures, RGB in [0, 1].
MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
STD = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)


@dataclasses.dataclass(frozen=True)
class CLIPVisionConfig:
    """Config of a CLIP vision transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: number of attention heads.
      ffn_dim: hidden width of the feed-forward.
      image_size: height and width of the pictures in pixels.
      patch: height and width of a patch in pixels.
      activation: activation of the feed-forward, a key of `vit_blocks.ACTIVATIONS`.
      projection_dim: E; 0 = the model has no projection.
    """

    dim: int
    layers: int
    heads: int
    ffn_dim: int
    image_size: int = 224
    patch: int = 14
    activation: str = "gelu"
    projection_dim: int = 0

    @property
    def tokens(self) -> int:
        """L, number of tokens of a picture."""
        return 1 + (self.image_size // self.patch) ** 2

    @property
    def blocks(self) -> BlocksConfig:
        return BlocksConfig(self.dim, self.layers, self.heads, self.ffn_dim, self.activation, _EPS)


@dataclasses.dataclass(frozen=True)
class CLIPTextConfig:
    """Config of a CLIP text transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: number of attention heads.
      ffn_dim: hidden width of the feed-forward.
      projection_dim: E.
      vocabulary: number of token ids.
      length: maximum number of tokens of a text, begin and end included.
      end: id of the end token; None = the largest id of each text, for the configs of the first
        release, which state a wrong id.
      activation: activation of the feed-forward, a key of `vit_blocks.ACTIVATIONS`.
    """

    dim: int
    layers: int
    heads: int
    ffn_dim: int
    projection_dim: int
    vocabulary: int = 49408
    length: int = 77
    end: int | None = None
    activation: str = "quick_gelu"

    @property
    def blocks(self) -> BlocksConfig:
        return BlocksConfig(
            self.dim, self.layers, self.heads, self.ffn_dim, self.activation, _EPS, causal=True
        )


@dataclasses.dataclass(frozen=True)
class CLIPConfig:
    """Configs of both towers."""

    vision: CLIPVisionConfig
    text: CLIPTextConfig


SIZES: dict[str, CLIPVisionConfig] = {
    "vit_b_32": CLIPVisionConfig(768, 12, 12, 3072, 224, 32, "quick_gelu", 512),
    "vit_b_16": CLIPVisionConfig(768, 12, 12, 3072, 224, 16, "quick_gelu", 512),
    "vit_l_14": CLIPVisionConfig(1024, 24, 16, 4096, 224, 14, "quick_gelu", 768),
    "vit_h_14": CLIPVisionConfig(1280, 32, 16, 5120),
}


class CLIPVision(nnx.Module):
    """Preprocessed pictures to image tokens.

    Args:
      config: config.
      rngs: random numbers for the initial parameters.
      dtype: dtype of the projections; normalisations and the residual stream are float32.
    """

    def __init__(self, config: CLIPVisionConfig, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.config = config
        dim = config.dim
        self.patch_embedding = PatchEmbedding(dim, config.patch, bias=False, rngs=rngs, dtype=dtype)
        self.class_token = nnx.Param(jax.random.normal(rngs.params(), (dim,)) / math.sqrt(dim))
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.tokens, dim)))
        self.norm_in = layer_norm(dim, _EPS, rngs)
        self.blocks = blocks(config.blocks, rngs=rngs, dtype=dtype)
        self.norm_out = layer_norm(dim, _EPS, rngs)
        if config.projection_dim:
            self.projection = linear(dim, config.projection_dim, rngs=rngs, dtype=dtype, bias=False)

    def __call__(
        self, pixels_BHWC: Float[Array, "b h w 3"], *, leave_out: int = 1
    ) -> Float[Array, "b l d"]:
        """The tokens before the last `leave_out` blocks, float32 and not normalised.

        Args:
          pixels_BHWC: pictures from `preprocess`.
          leave_out: number of blocks at the end that are not run. Wan takes the tokens before the
            last block.

        Raises:
          ValueError: if the pictures have another size than the model's.
        """
        return run(self.blocks, self._tokens(pixels_BHWC), self.config.layers - leave_out)

    def embed(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b e"]:
        """The class token after all blocks, projected if the model has a projection, float32.

        Embeddings are compared by their cosine; they are not normalised.
        """
        class_BD = self.norm_out(run_first(self.blocks, self._tokens(pixels_BHWC)))
        if self.config.projection_dim:
            class_BD = self.projection(class_BD)
        return class_BD.astype(jnp.float32)

    def _tokens(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b l d"]:
        config = self.config
        if pixels_BHWC.shape[1:] != (config.image_size, config.image_size, 3):
            raise ValueError(
                f"pictures of {pixels_BHWC.shape[1:]}, the model takes {config.image_size} a side"
            )
        patches_BPPD = self.patch_embedding(pixels_BHWC).astype(jnp.float32)
        batch = len(patches_BPPD)
        patches_BLD = patches_BPPD.reshape(batch, -1, config.dim)
        first_B1D = jnp.broadcast_to(self.class_token[...], (batch, 1, config.dim))
        return self.norm_in(jnp.concatenate([first_B1D, patches_BLD], 1) + self.positions[...])


class CLIPText(nnx.Module):
    """Token ids to one embedding per text.

    Args:
      config: config.
      rngs: random numbers for the initial parameters.
      dtype: dtype of the projections.
    """

    def __init__(self, config: CLIPTextConfig, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.config = config
        dim = config.dim
        self.token_table = nnx.Param(
            0.02 * jax.random.normal(rngs.params(), (config.vocabulary, dim))
        )
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.length, dim)))
        self.blocks = blocks(config.blocks, rngs=rngs, dtype=dtype)
        self.norm_out = layer_norm(dim, _EPS, rngs)
        self.projection = linear(dim, config.projection_dim, rngs=rngs, dtype=dtype, bias=False)

    def embed(self, ids_BL: Int[Array, "b l"]) -> Float[Array, "b e"]:
        """One embedding per text, in the space of the pictures, float32 and not normalised.

        Args:
          ids_BL: begin, words, end and padding; ids after the end have no influence.

        Raises:
          ValueError: if there are more tokens than the model has positions.
        """
        batch, length = ids_BL.shape
        if length > self.config.length:
            raise ValueError(f"texts of {length} tokens, the model takes {self.config.length}")
        x_BLD = run(self.blocks, self.token_table[...][ids_BL] + self.positions[...][:length])
        end = self.config.end
        is_end_BL = ids_BL if end is None else ids_BL == end
        end_BD = x_BLD[jnp.arange(batch), jnp.argmax(is_end_BL, axis=1)]
        return self.projection(self.norm_out(end_BD)).astype(jnp.float32)


class CLIP(nnx.Module):
    """Both towers."""

    def __init__(self, config: CLIPConfig, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.vision = CLIPVision(config.vision, rngs=rngs, dtype=dtype)
        self.text = CLIPText(config.text, rngs=rngs, dtype=dtype)


def preprocess(pictures_BHWC: UInt8[Array, "b h w 3"], size: int = 224) -> Float[Array, "b s s 3"]:
    """8-bit RGB pictures of any size as CLIP takes them.

    The shorter side is resized to `size` as Pillow does it, bit for bit on any device, and the
    longer one in proportion, rounded down. The centre is cropped and normalised with the mean and
    standard deviation of CLIP's training pictures.

    Returns:
      float32[B, size, size, 3].

    Raises:
      ValueError: if the pictures are not uint8.
    """
    return pillow.normalised(pillow.resize_short_and_crop(pictures_BHWC, size, size), MEAN, STD)
