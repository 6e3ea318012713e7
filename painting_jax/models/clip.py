"""CLIP's vision transformer and the preprocessing it expects: Wan 2.1's image encoder (ViT-H/14).

CLIP (Radford et al., arXiv 2103.00020), weights of OpenCLIP; the reference implementations are
`CLIPVisionModelWithProjection` and `CLIPImageProcessorPil` of transformers.

Shapes: B batch, H W height and width, P patches a side, L = 1 + P P tokens (the class first), D
width, N heads.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, UInt8

from painting_jax.models.wan import linear, stack

_EPS = 1e-5

# Of the pictures CLIP was trained on, RGB in [0, 1].
MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
STD = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)

ACTIVATIONS = {
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
}


@dataclasses.dataclass(frozen=True)
class CLIPVisionConfig:
    """Sizes of a CLIP vision transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: N; the head width is dim / heads.
      ffn_dim: hidden width of the feed-forward.
      image_size: pixels a side of the square pictures it takes.
      patch: pixels a side of a token.
      activation: of the feed-forward, a key of `ACTIVATIONS`.
      projection_dim: width of the space shared with text; 0 = the model has no such projection.
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


SIZES: dict[str, CLIPVisionConfig] = {
    "vit_h_14": CLIPVisionConfig(1280, 32, 16, 5120),
}


def _layer_norm(dim: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    # E[x^2] - E[x]^2 would cancel: a few channels of a ViT are far from zero.
    return nnx.LayerNorm(dim, epsilon=_EPS, use_fast_variance=False, rngs=rngs)


class Block(nnx.Module):
    """Self-attention and a feed-forward, each normalised before and added."""

    def __init__(self, config: CLIPVisionConfig, *, rngs, dtype):
        dim = config.dim
        self.heads = config.heads
        self.activation = ACTIVATIONS[config.activation]
        self.norm1 = _layer_norm(dim, rngs)
        self.to_q = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_k = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_v = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_out = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.norm2 = _layer_norm(dim, rngs)
        self.proj_in = linear(dim, config.ffn_dim, rngs=rngs, dtype=dtype)
        self.proj_out = linear(config.ffn_dim, dim, rngs=rngs, dtype=dtype)

    def __call__(self, x_BLD: Float[Array, "b l d"]) -> Float[Array, "b l d"]:
        x_BLD = x_BLD + self._attend(self.norm1(x_BLD)).astype(x_BLD.dtype)
        hidden = self.activation(self.proj_in(self.norm2(x_BLD)))
        return x_BLD + self.proj_out(hidden).astype(x_BLD.dtype)

    def _attend(self, x_BLD: Float[Array, "b l d"]) -> Float[Array, "b l d"]:
        q_BLNK, k_BLNK, v_BLNK = (
            project(x_BLD).reshape(*x_BLD.shape[:2], self.heads, -1)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        out_BLNK = jax.nn.dot_product_attention(q_BLNK, k_BLNK, v_BLNK)
        return self.to_out(out_BLNK.reshape(x_BLD.shape))


class CLIPVision(nnx.Module):
    """Preprocessed pictures to image tokens.

    Args:
      config: sizes.
      rngs: of the parameters.
      dtype: projections are computed in; normalisations and the stream of tokens are float32.
    """

    def __init__(self, config: CLIPVisionConfig, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.config = config
        dim, patch = config.dim, (config.patch, config.patch)
        self.patch_embedding = nnx.Conv(
            3, dim, patch, strides=patch, padding="VALID", use_bias=False, dtype=dtype, rngs=rngs
        )
        self.class_token = nnx.Param(jax.random.normal(rngs.params(), (dim,)) / math.sqrt(dim))
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.tokens, dim)))
        self.norm_in = _layer_norm(dim, rngs)
        self.blocks = stack(Block, config, rngs=rngs, dtype=dtype)
        self.norm_out = _layer_norm(dim, rngs)
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
        config = self.config
        if pixels_BHWC.shape[1:] != (config.image_size, config.image_size, 3):
            raise ValueError(
                f"pictures of {pixels_BHWC.shape[1:]}, the model takes {config.image_size} a side"
            )
        patches_BPPD = self.patch_embedding(pixels_BHWC).astype(jnp.float32)
        batch = len(patches_BPPD)
        patches_BLD = patches_BPPD.reshape(batch, -1, config.dim)
        first_B1D = jnp.broadcast_to(self.class_token[...], (batch, 1, config.dim))
        x_BLD = self.norm_in(jnp.concatenate([first_B1D, patches_BLD], 1) + self.positions[...])
        graph, stacked = nnx.split(self.blocks)

        def block(x_BLD, index):
            state = jax.tree.map(lambda leaf: leaf[index], stacked)
            return nnx.merge(graph, state)(x_BLD), None

        # Scanned by index: compile time does not grow with depth, and leaving blocks out takes no
        # copy of the others.
        return jax.lax.scan(block, x_BLD, jnp.arange(config.layers - leave_out))[0]

    def embed(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b e"]:
        """One embedding a picture, float32: the class token after all blocks, projected if it can.

        Not normalised; pictures are compared by its cosine.
        """
        class_BD = self.norm_out(self(pixels_BHWC, leave_out=0)[:, 0])
        if self.config.projection_dim:
            class_BD = self.projection(class_BD)
        return class_BD.astype(jnp.float32)


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
    if pictures_BHWC.dtype != np.uint8:
        raise ValueError(f"pictures are uint8 in 0..255, not {pictures_BHWC.dtype}")
    _, height, width, _ = pictures_BHWC.shape
    short = min(height, width)
    x = jnp.asarray(pictures_BHWC, jnp.int32)
    # Width first: both passes round, so that their order shows.
    for axis, extent in ((2, width), (1, height)):
        x = _resample(x, axis, *_taps(extent, int(size * extent / short), size))
    return (x.astype(jnp.float32) / 255 - MEAN) / STD


# Pillow's resampling of 8-bit pictures: whole numbers with this many bits behind the point.
_BITS = 22


def _resample(x, axis: int, source_SK: np.ndarray, weight_SK: np.ndarray):
    """Weighs K whole-number pixels for each of S along an axis; rounds and clips to 0..255."""
    shape = [1] * x.ndim
    shape[axis] = -1

    def add(total, tap):
        source_S, weight_S = tap
        return total + jnp.take(x, source_S, axis, mode="clip") * weight_S.reshape(shape), None

    half = jnp.full(
        [len(source_SK) if k == axis else n for k, n in enumerate(x.shape)], 1 << (_BITS - 1)
    )
    # Scanned, so that the program of a large picture is not larger.
    total, _ = jax.lax.scan(add, half, (jnp.asarray(source_SK.T), jnp.asarray(weight_SK.T)))
    return jnp.clip(total >> _BITS, 0, 255)


def _taps(extent: int, resized: int, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels the central `kept` of `resized` ones are made of, and their weights.

    Args:
      extent: pixels there are.
      resized: pixels they become.
      kept: of these, how many around the centre are asked for.

    Returns:
      int32[kept, K] indices and int32[kept, K] weights, in units of 2^-22.
    """
    scale = extent / resized
    stretch = max(scale, 1.0)  # smaller pictures average over more pixels
    reach = 2 * stretch
    left = (resized - kept) // 2
    centre_S = (np.arange(left, left + kept) + 0.5) * scale
    first_S = np.maximum((centre_S - reach + 0.5).astype(np.int64), 0)
    end_S = np.minimum((centre_S + reach + 0.5).astype(np.int64), extent)
    source_SK = first_S[:, None] + np.arange((end_S - first_S).max())
    weight_SK = _keys_cubic((source_SK - centre_S[:, None] + 0.5) / stretch)
    weight_SK = np.where(source_SK < end_S[:, None], weight_SK, 0)
    weight_SK /= weight_SK.sum(1, keepdims=True)
    whole_SK = np.trunc(weight_SK * (1 << _BITS) + np.copysign(0.5, weight_SK))
    return np.minimum(source_SK, extent - 1).astype(np.int32), whole_SK.astype(np.int32)


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel (1981) with a = -1/2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))
