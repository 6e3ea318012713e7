"""Pre-normalised transformer blocks, stacked and scanned: of CLIP's two towers and of DINOv2.

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
from painting_jax.sharding.attention import heads_first

ACTIVATIONS = {
    # With erf, which is a third of the work of the erfc that JAX's own takes.
    "gelu": lambda x: 0.5 * x * (1 + jax.lax.erf(x * math.sqrt(0.5))),
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
}


@dataclasses.dataclass(frozen=True)
class BlocksConfig:
    """Sizes and kind of a stack of blocks.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: N; the head width is dim / heads.
      ffn_dim: hidden width of the feed-forward.
      activation: of the feed-forward, a key of `ACTIVATIONS`.
      eps: of the normalisations.
      causal: tokens attend to those before them alone.
      scaled: what a block adds is weighed, channel by channel (LayerScale).
      gated: the feed-forward is SwiGLU, whatever the activation.
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
    # E[x^2] - E[x]^2 would cancel: a few channels of a ViT are far from zero.
    return nnx.LayerNorm(dim, epsilon=eps, use_fast_variance=False, rngs=rngs)


class Block(nnx.Module):
    """Self-attention and a feed-forward, each normalised before and added."""

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
        """The first `kept` tokens [default: all] after the block; they attend to all."""
        attended = self._attend(self.norm1(x_BLD), kept).astype(x_BLD.dtype)
        x_BSD = x_BLD[:, :kept] + (attended * self.scale1 if self.config.scaled else attended)
        fed = self._feed(self.norm2(x_BSD)).astype(x_BSD.dtype)
        return x_BSD + (fed * self.scale2 if self.config.scaled else fed)

    def _attend(self, x_BLD: Float[Array, "b l d"], kept: int | None) -> Float[Array, "b s d"]:
        x_BSD = x_BLD[:, :kept]
        q_BNSK, k_BNLK, v_BNLK = (
            project(x).reshape(*x.shape[:2], self.config.heads, -1).transpose(0, 2, 1, 3)
            for project, x in ((self.to_q, x_BSD), (self.to_k, x_BLD), (self.to_v, x_BLD))
        )
        if self.config.causal or not fast_on_cpu.enabled():
            out_BNSK = heads_first(q_BNSK, k_BNLK, v_BNLK, self.config.causal)
        else:
            out_BNSK = fast_on_cpu.in_halves(heads_first, q_BNSK, k_BNLK, v_BNLK)
        return self.to_out(out_BNSK.transpose(0, 2, 1, 3).reshape(x_BSD.shape))

    def _feed(self, x_BLD: Float[Array, "b l d"]) -> Float[Array, "b l d"]:
        # All pictures' tokens along one axis: a CPU fuses what follows a product better then.
        hidden_TF = self.proj_in(x_BLD.reshape(-1, x_BLD.shape[-1]))
        if self.config.gated:
            gate_TF, value_TF = jnp.split(hidden_TF, 2, axis=-1)
            hidden_TF = jax.nn.silu(gate_TF) * value_TF
        else:
            hidden_TF = ACTIVATIONS[self.config.activation](hidden_TF)
        return self.proj_out(hidden_TF).reshape(x_BLD.shape)


def blocks(config: BlocksConfig, *, rngs: nnx.Rngs, dtype) -> nnx.Module:
    """`config.layers` blocks as one, whose parameters have a first axis of that length."""
    return stack(Block, config, rngs=rngs, dtype=dtype)


def for_inference(stacked: nnx.Module) -> nnx.Module:
    """What `blocks` gives as it runs fastest; for `run` and `run_first`, not for training.

    A scan copies each block's parameters out of the stack. Where pictures have few tokens, that is
    up to a tenth of a CPU's time, and there each block gets parameters of its own: compile time
    then grows with depth.
    """
    if jax.default_backend() != "cpu":
        return stacked
    block, layers = _by_index(stacked)
    return nnx.List(block(index) for index in range(layers))


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
    # Scanned by index: compile time does not grow with depth, and leaving blocks out takes no copy
    # of the others.
    return jax.lax.scan(lambda x, index: (block(index)(x), None), x_BLD, jnp.arange(count))[0]


def run_first(tower: nnx.Module, x_BLD: Float[Array, "b l d"]) -> Float[Array, "b d"]:
    """The first token after all blocks, of which the last does for it what it would do for all."""
    block, layers = _by_index(tower)
    return block(layers - 1)(run(tower, x_BLD, layers - 1), kept=1)[:, 0]


def _by_index(tower: nnx.Module) -> tuple[Callable[[int | jax.Array], Block], int]:
    """What gives a block of either kind by its place, and how many there are."""
    if isinstance(tower, nnx.List):
        return tower.__getitem__, len(tower)
    graph, state = nnx.split(tower)

    def block(index: int | jax.Array) -> Block:
        return nnx.merge(graph, jax.tree.map(lambda leaf: leaf[index], state))

    return block, tower.config.layers
