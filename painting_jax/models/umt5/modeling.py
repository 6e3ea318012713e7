"""UMT5, the multilingual text encoder that Wan was trained with.

UMT5 (Chung et al., arXiv 2304.09151) is the encoder of a T5 1.1 in which every layer has its own
relative position biases. The reference implementation is `UMT5EncoderModel` of transformers.

Shapes: B batch, L text tokens, D width, N heads, K head width.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from painting_jax.models.layers import linear, stack

_EPS = 1e-6


@dataclasses.dataclass(frozen=True)
class UMT5Config:
    """Config of a UMT5 encoder.

    Attributes:
      vocabulary: number of token ids.
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: N, number of attention heads.
      head_dim: K; N K may differ from D.
      ffn_dim: hidden width of the feed-forward.
      buckets: number of classes of distances for the position biases, half for each direction.
      max_distance: distance in tokens from which on all distances share a bucket.
    """

    vocabulary: int
    dim: int
    layers: int
    heads: int
    head_dim: int
    ffn_dim: int
    buckets: int = 32
    max_distance: int = 128


SIZES: dict[str, UMT5Config] = {
    "umt5_xxl": UMT5Config(256_384, 4096, 24, 64, 64, 10_240),
}


class Attention(nnx.Module):
    """Multi-head attention without scaling, with a bias for each head and distance."""

    def __init__(self, config: UMT5Config, *, rngs, dtype):
        dim, inner = config.dim, config.heads * config.head_dim
        self.heads = config.heads
        self.to_q = linear(dim, inner, rngs=rngs, dtype=dtype, bias=False)
        self.to_k = linear(dim, inner, rngs=rngs, dtype=dtype, bias=False)
        self.to_v = linear(dim, inner, rngs=rngs, dtype=dtype, bias=False)
        self.to_out = linear(inner, dim, rngs=rngs, dtype=dtype, bias=False)
        self.position_bias = nnx.Param(
            jax.random.normal(rngs.params(), (config.buckets, config.heads))
        )

    def __call__(
        self,
        x_BLD: Float[Array, "b l d"],
        bucket_LL: Int[Array, "l l"],
        mask_BL: Bool[Array, "b l"],
    ) -> Float[Array, "b l d"]:
        batch, length, _ = x_BLD.shape
        q_BLNK, k_BLNK, v_BLNK = (
            project(x_BLD).reshape(batch, length, self.heads, -1)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        bias_LLN = self.position_bias[...][bucket_LL].astype(jnp.float32)
        out_BLNK = jax.nn.dot_product_attention(
            q_BLNK,
            k_BLNK,
            v_BLNK,
            bias=bias_LLN.transpose(2, 0, 1)[None],
            mask=mask_BL[:, None, None],
            scale=1.0,
        )
        return self.to_out(out_BLNK.reshape(batch, length, -1))


class GatedFeedForward(nnx.Module):
    """proj_out(GELU(proj_gate(x)) * proj_in(x))."""

    def __init__(self, config: UMT5Config, *, rngs, dtype):
        dim, hidden = config.dim, config.ffn_dim
        self.proj_gate = linear(dim, hidden, rngs=rngs, dtype=dtype, bias=False)
        self.proj_in = linear(dim, hidden, rngs=rngs, dtype=dtype, bias=False)
        self.proj_out = linear(hidden, dim, rngs=rngs, dtype=dtype, bias=False)

    def __call__(self, x_BLD: Float[Array, "b l d"]) -> Float[Array, "b l d"]:
        gate = jax.nn.gelu(self.proj_gate(x_BLD), approximate=True)
        return self.proj_out(gate * self.proj_in(x_BLD))


class Block(nnx.Module):
    """Self-attention and a gated feed-forward, both pre-normalised and residual."""

    def __init__(self, config: UMT5Config, *, rngs, dtype):
        self.norm1 = nnx.RMSNorm(config.dim, epsilon=_EPS, rngs=rngs)
        self.attn = Attention(config, rngs=rngs, dtype=dtype)
        self.norm2 = nnx.RMSNorm(config.dim, epsilon=_EPS, rngs=rngs)
        self.ffn = GatedFeedForward(config, rngs=rngs, dtype=dtype)

    def __call__(self, x_BLD: Float[Array, "b l d"], bucket_LL, mask_BL) -> Float[Array, "b l d"]:
        # The residual stream is float32: it grows to thousands, where bfloat16 has steps of 8.
        x_BLD = x_BLD + self.attn(self.norm1(x_BLD), bucket_LL, mask_BL).astype(jnp.float32)
        return x_BLD + self.ffn(self.norm2(x_BLD)).astype(jnp.float32)


class UMT5Encoder(nnx.Module):
    """Token ids to text embeddings.

    Args:
      config: config.
      rngs: random numbers for the initial parameters.
      dtype: dtype of the projections; normalisations and the residual stream are float32.
    """

    def __init__(self, config: UMT5Config, *, rngs: nnx.Rngs, dtype=jnp.float32):
        self.config = config
        self.token_table = nnx.Param(
            jax.random.normal(rngs.params(), (config.vocabulary, config.dim))
        )
        self.blocks = stack(Block, config, rngs=rngs, dtype=dtype)
        self.norm_out = nnx.RMSNorm(config.dim, epsilon=_EPS, rngs=rngs)

    def __call__(
        self, ids_BL: Int[Array, "b l"], mask_BL: Bool[Array, "b l"]
    ) -> Float[Array, "b l d"]:
        """The embeddings, float32, and zero for padding, as Wan takes them.

        Args:
          ids_BL: token ids; the ids of padding have no influence.
          mask_BL: True for text, False for padding, which no token attends to. Each text has at
            least one token, the end mark.
        """
        mask_BL = mask_BL.astype(bool)
        bucket_LL = relative_buckets(ids_BL.shape[1], self.config)
        x_BLD = self.token_table[...][ids_BL].astype(jnp.float32)
        graph, stacked = nnx.split(self.blocks)

        def block(x_BLD, state):
            return nnx.merge(graph, state)(x_BLD, bucket_LL, mask_BL), None

        # A scan, so that compile time does not grow with depth.
        x_BLD, _ = jax.lax.scan(block, x_BLD, stacked)
        return jnp.where(mask_BL[..., None], self.norm_out(x_BLD).astype(jnp.float32), 0)


def relative_buckets(length: int, config: UMT5Config) -> Int[Array, "l l"]:
    """The bucket of each pair of positions (query, key), as in T5 (arXiv 1910.10683, section 2.1).

    Half of the buckets are for keys after the query. In each half, the first half of the buckets
    hold one distance each. The others widen logarithmically up to `max_distance`.
    """
    half = config.buckets // 2
    exact = half // 2
    offsets = np.arange(1 - length, length)
    distance = np.abs(offsets)
    # In float32 as in training, since rounding decides on which side of an edge a distance falls.
    ratio = np.log(np.maximum(distance, 1).astype(np.float32) / np.float32(exact))
    ratio = ratio / np.float32(math.log(config.max_distance / exact)) * np.float32(half - exact)
    wide = np.minimum(exact + ratio.astype(np.int32), half - 1)
    bucket_of_offset = np.where(distance < exact, distance, wide) + half * (offsets > 0)
    position_L = jnp.arange(length)
    # Computed on the device: a table over pairs would be a constant of a megabyte in the program.
    return jnp.asarray(bucket_of_offset, jnp.int32)[
        position_L[None, :] - position_L[:, None] + length - 1
    ]
