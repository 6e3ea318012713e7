"""CLIP (Radford et al., arXiv 2103.00020): a tower for pictures, one for texts, a common space.

The vision tower alone is Wan 2.1's image encoder (ViT-H/14, weights of OpenCLIP). The reference
implementations are `CLIPModel`, `CLIPVisionModelWithProjection` and `CLIPImageProcessorPil` of
transformers.

Shapes: B batch, H W height and width, P patches a side, L = 1 + P P tokens (the class first) or
tokens of a text, D width, E width of the common space.
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
from painting_jax.models.patch_embedding import PatchConv
from painting_jax.models.vit_blocks import BlocksConfig, blocks, layer_norm, run, run_first

_EPS = 1e-5

# Of the pictures CLIP was trained on, RGB in [0, 1].
MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
STD = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)


@dataclasses.dataclass(frozen=True)
class CLIPVisionConfig:
    """Sizes of a CLIP vision transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: of the attention.
      ffn_dim: hidden width of the feed-forward.
      image_size: pixels a side of the square pictures it takes.
      patch: pixels a side of a token.
      activation: of the feed-forward, a key of `transformer.ACTIVATIONS`.
      projection_dim: E; 0 = the model has no such projection.
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
        """L."""
        return 1 + (self.image_size // self.patch) ** 2

    @property
    def blocks(self) -> BlocksConfig:
        return BlocksConfig(self.dim, self.layers, self.heads, self.ffn_dim, self.activation, _EPS)


@dataclasses.dataclass(frozen=True)
class CLIPTextConfig:
    """Sizes of a CLIP text transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: of the attention.
      ffn_dim: hidden width of the feed-forward.
      projection_dim: E.
      vocabulary: number of token ids.
      length: most tokens of a text, its begin and end included.
      end: id of the token that ends a text; None = the largest id of each text, as in the configs
        of the first release, which name a wrong one.
      activation: of the feed-forward, a key of `transformer.ACTIVATIONS`.
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
    """Sizes of both towers."""

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
      config: sizes.
      rngs: of the parameters.
      dtype: projections are computed in; normalisations and the stream of tokens are float32.
    """

    def __init__(self, config: CLIPVisionConfig, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.config = config
        dim = config.dim
        self.patch_embedding = PatchConv(dim, config.patch, bias=False, dtype=dtype, rngs=rngs)
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
        """The tokens, float32, before the last `leave_out` blocks: Wan takes the penultimate.

        Args:
          pixels_BHWC: as `preprocess` makes them.
          leave_out: blocks at the end that are not run; without a normalisation after them.

        Raises:
          ValueError: for pictures of another size than the model's.
        """
        return run(self.blocks, self._tokens(pixels_BHWC), self.config.layers - leave_out)

    def embed(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b e"]:
        """One embedding a picture, float32: the class token after all blocks, projected if it can.

        Not normalised; pictures are compared by its cosine.
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
    """Token ids to one embedding a text.

    Args:
      config: sizes.
      rngs: of the parameters.
      dtype: projections are computed in.
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
        """One embedding a text, float32, in the pictures' space and like theirs not normalised.

        Args:
          ids_BL: begin, words, end and any padding; what comes after the end does not matter.

        Raises:
          ValueError: for more tokens than the model has positions.
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
    """What CLIP takes, of 8-bit RGB pictures of any extents.

    The shorter side becomes `size` (bicubic, antialiased, rounded to 8 bits as in the pictures CLIP
    was trained on), the longer one keeps the aspect (rounded down) and is cropped to its centre;
    then [0, 1] less CLIP's mean, over its standard deviation. The resized pixels are Pillow's to
    the last bit, on any device: the same condition in training and when painting.

    Returns:
      float32[B, size, size, 3].

    Raises:
      ValueError: for pictures that are not uint8.
    """
    return pillow.normalised(pillow.resize_short_and_crop(pictures_BHWC, size, size), MEAN, STD)
