"""Pre-normalised transformer blocks, stacked and scanned, for both towers of CLIP and for DINOv2.

Shapes: B batch, L tokens, D width, N heads, K head width.
"""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models import fast_on_cpu
from painting_jax.models.layers import linear, stack
from painting_jax.sharding.plain_attention import heads_first

ACTIVATIONS = {
    # JAX's own takes erfc, which is three times the work.
    "gelu": lambda x: 0.5 * x * (1 + jax.lax.erf(x * math.sqrt(0.5))),
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
}


@dataclasses.dataclass(frozen=True)
class BlocksConfig:
    """Config of a stack of blocks.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: N; the head width is dim / heads.
      ffn_dim: hidden width of the feed-forward.
      activation: activation of the feed-forward, a key of `ACTIVATIONS`.
      eps: epsilon of the normalisations.
      causal: whether tokens attend only to themselves and those before them.
      scaled: whether what a block adds has a learned scale per channel (LayerScale).
      gated: whether the feed-forward is SwiGLU, whatever the activation.
    """

    dim: int
    layers: int
    heads: int
    ffn_dim: int
    activation: str = "gelu"
    eps: float = 1e-5
    causal: bool = False
    scaled: bool = False
    gated: bool = False


def layer_norm(dim: int, eps: float, rngs: nnx.Rngs) -> nnx.LayerNorm:
    # E[x^2] - E[x]^2 is inaccurate: a few channels of a ViT are far from zero.
    return nnx.LayerNorm(dim, epsilon=eps, use_fast_variance=False, rngs=rngs)


class PatchEmbedding(nnx.Conv):
    """A convolution of RGB to one token per patch; an incomplete patch at the end is cut off."""

    def __init__(self, dim: int, patch: int, *, rngs: nnx.Rngs, dtype, bias: bool = True):
        window = (patch, patch)
        super().__init__(
            3, dim, window, strides=window, padding="VALID", use_bias=bias, dtype=dtype, rngs=rngs
        )

    def __call__(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b h2 w2 d"]:
        if not fast_on_cpu.enabled():
            return super().__call__(pixels_BHWC)
        kernel_PQCD, pixels_BHWC = (x.astype(self.dtype) for x in (self.kernel[...], pixels_BHWC))
        tokens_BhwD = fast_on_cpu.patch_conv(pixels_BHWC, kernel_PQCD)
        return tokens_BhwD if self.bias is None else tokens_BhwD + self.bias[...].astype(self.dtype)


class Block(nnx.Module):
    """Self-attention and a feed-forward, both pre-normalised and residual."""

    def __init__(self, config: BlocksConfig, *, rngs, dtype):
        self.config = config
        dim, ffn_dim = config.dim, config.ffn_dim
        self.norm1 = layer_norm(dim, config.eps, rngs)
        self.to_q = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_k = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_v = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_out = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.norm2 = layer_norm(dim, config.eps, rngs)
        self.proj_in = linear(dim, ffn_dim * (1 + config.gated), rngs=rngs, dtype=dtype)
        self.proj_out = linear(ffn_dim, dim, rngs=rngs, dtype=dtype)
        if config.scaled:
            self.scale1 = nnx.Param(jnp.ones(dim))
            self.scale2 = nnx.Param(jnp.ones(dim))

    def __call__(
        self, x_BLD: Float[Array, "b l d"], kept: int | None = None
    ) -> Float[Array, "b s d"]:
        """The first `kept` tokens [default: all] after the block; they attend to all tokens."""
        attended = self._attend(self.norm1(x_BLD), kept).astype(x_BLD.dtype)
        x_BSD = x_BLD[:, :kept] + (attended * self.scale1 if self.config.scaled else attended)
        normed_BSD = self.norm2(x_BSD)
        if fast_on_cpu.enabled():
            fed = fast_on_cpu.along_one_axis(self._feed, normed_BSD)
        else:
            fed = self._feed(normed_BSD)
        fed = fed.astype(x_BSD.dtype)
        return x_BSD + (fed * self.scale2 if self.config.scaled else fed)

    def _attend(self, x_BLD: Float[Array, "b l d"], kept: int | None) -> Float[Array, "b s d"]:
        x_BSD = x_BLD[:, :kept]
        q_BNSK, k_BNLK, v_BNLK = (
            project(x).reshape(*x.shape[:2], self.config.heads, -1).transpose(0, 2, 1, 3)
            for project, x in ((self.to_q, x_BSD), (self.to_k, x_BLD), (self.to_v, x_BLD))
        )
        if fast_on_cpu.enabled() and not self.config.causal:
            out_BNSK = fast_on_cpu.in_halves(heads_first, q_BNSK, k_BNLK, v_BNLK)
        else:
            out_BNSK = heads_first(q_BNSK, k_BNLK, v_BNLK, self.config.causal)
        return self.to_out(out_BNSK.transpose(0, 2, 1, 3).reshape(x_BSD.shape))

    def _feed(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        hidden = self.proj_in(x)
        if self.config.gated:
            gate, value = jnp.split(hidden, 2, axis=-1)
            return self.proj_out(jax.nn.silu(gate) * value)
        return self.proj_out(ACTIVATIONS[self.config.activation](hidden))


def blocks(config: BlocksConfig, *, rngs: nnx.Rngs, dtype) -> nnx.Module:
    """`config.layers` blocks as one module, whose parameters have a first axis of that length."""
    return stack(Block, config, rngs=rngs, dtype=dtype)


def for_inference(stacked: nnx.Module) -> nnx.Module:
    """The blocks as `run` and `run_first` take them fastest; not for training or loading."""
    if not fast_on_cpu.enabled():
        return stacked
    block, layers = _by_index(stacked)
    return fast_on_cpu.unstacked(block, layers)


def run(
    tower: nnx.Module, x_BLD: Float[Array, "b l d"], count: int | None = None
) -> Float[Array, "b l d"]:
    """The tokens after the first `count` blocks [default: all]."""
    block, layers = _by_index(tower)
    count = layers if count is None else count
    if isinstance(tower, nnx.List):
        for index in range(count):
            x_BLD = block(index)(x_BLD)
        return x_BLD
    # A scan over indices: compile time does not grow with depth, and blocks that are left out are
    # not copied.
    return jax.lax.scan(lambda x, index: (block(index)(x), None), x_BLD, jnp.arange(count))[0]


def run_first(tower: nnx.Module, x_BLD: Float[Array, "b l d"]) -> Float[Array, "b d"]:
    """The first token after all blocks, for which the last block computes nothing else."""
    block, layers = _by_index(tower)
    return block(layers - 1)(run(tower, x_BLD, layers - 1), kept=1)[:, 0]


def _by_index(tower: nnx.Module) -> tuple[Callable[[int | jax.Array], Block], int]:
    """A function from the index of a block to the block, and the number of blocks."""
    if isinstance(tower, nnx.List):
        return tower.__getitem__, len(tower)
    graph, state = nnx.split(tower)

    def block(index: int | jax.Array) -> Block:
        return nnx.merge(graph, jax.tree.map(lambda leaf: leaf[index], state))

    return block, tower.config.layers
