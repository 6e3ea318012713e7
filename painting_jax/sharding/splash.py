"""Splash attention: JAX's fused Pallas kernels for TPUs, for any number of queries and keys.

Both passes stay in the chip's vector memory (VMEM) block by block. The backward pass is one kernel
for the gradients of queries, keys and values.

The kernels' halves are called apart, since ring attention needs the backward pass for statistics
over more keys than its own. JAX has no public name for that half.

Shapes: B batch, N heads, S queries, L keys, K head width.
"""

import dataclasses
import math

import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_kernel as kernels
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_mask as masks
from jaxtyping import Array, Bool, Float

_LANES = 128  # Numbers side by side in a register; lengths and widths are multiples of it.


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Largest blocks of the kernels, in tokens.

    Attributes:
      queries: queries at a time.
      keys: keys that are fetched at a time.
      at_once: keys that scores are computed for at a time.
      backward: blocks of keys that the backward pass fetches at a time. Each time, it writes a part
        of the gradient of all queries.
    """

    queries: int
    keys: int
    at_once: int
    backward: int


# Larger ones do not fit into VMEM: compiled for v5e, v5p, v6e and 7x, heads of 128 and 64 channels.
_LARGEST = Blocks(1024, 1024, 512, 2)
# For tests, which interpret the kernels.
_SMALLEST = Blocks(_LANES, 2 * _LANES, _LANES, 2)


def forward(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    counts_L: Bool[Array, " l"] | None,
    *,
    device_kind: str,
) -> tuple[Float[Array, "b n s k"], Float[Array, "b n s"]]:
    """As `plain_attention.forward`.

    Args:
      q_BNSK: queries.
      k_BNLK: keys.
      v_BNLK: values.
      counts_L: which keys count; None = all.
      device_kind: kind of the device that it is compiled for. It is interpreted for all but TPUs.
    """
    call = _Call.of(q_BNSK.shape, k_BNLK.shape[2], device_kind)
    out, (log_total,) = call.kernel(save_residuals=True)(
        call.queries(q_BNSK * _scale(q_BNSK)),
        call.keys(k_BNLK),
        call.keys(v_BNLK),
        call.segments(counts_L),
    )
    b, n, s, k = q_BNSK.shape
    return out.reshape(b, n, -1, out.shape[-1])[:, :, :s, :k], log_total.reshape(b, n, -1)[..., :s]


def backward(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    counts_L: Bool[Array, " l"] | None,
    out_BNSK: Float[Array, "b n s k"],
    log_total_BNS: Float[Array, "b n s"],
    grad_BNSK: Float[Array, "b n s k"],
    *,
    device_kind: str,
) -> tuple[Float[Array, "b n s k"], Float[Array, "b n l k"], Float[Array, "b n l k"]]:
    """As `plain_attention.backward`, in the dtype of the queries."""
    call = _Call.of(q_BNSK.shape, k_BNLK.shape[2], device_kind)
    kernel = call.kernel(save_residuals=False)
    kept = (
        call.queries(q_BNSK * _scale(q_BNSK)),
        call.keys(k_BNLK),
        call.keys(v_BNLK),
        call.segments(counts_L),
        None,  # Sinks, which Wan has none of.
        call.queries(out_BNSK),
        call.queries(log_total_BNS[..., None])[..., 0],
        kernel.dq_mask_info,
        kernel.dkv_mask_info,
    )
    _, _, _, q_grad, k_grad, v_grad, *_ = kernels._splash_attention_bwd(
        *(kernel.kwargs[name] for name in _SETTINGS), kept, call.queries(grad_BNSK)
    )
    b, n, s, k = q_BNSK.shape
    length = k_BNLK.shape[2]
    q_grad, k_grad, v_grad = (x.reshape(b, n, -1, x.shape[-1]) for x in (q_grad, k_grad, v_grad))
    scaled = (q_grad[:, :, :s, :k] * _scale(q_BNSK)).astype(q_BNSK.dtype)
    return scaled, k_grad[:, :, :length, :k], v_grad[:, :, :length, :k]


# What the backward half takes, in its order.
_SETTINGS = (
    "save_residuals",
    "mask_value",
    "is_mqa",
    "block_sizes",
    "residual_checkpoint_name",
    "mask_function",
    "attn_logits_soft_cap",
    "interpret",
)


@dataclasses.dataclass(frozen=True)
class _Call:
    """How the arrays of a call are padded and cut into blocks. Heads of all samples are one axis.

    Attributes:
      heads: B N.
      length: number of keys L.
      block_sizes: blocks, in JAX's terms.
      queries_padded: number of queries with padding.
      keys_padded: number of keys with padding.
      interpret: whether the kernel is interpreted.
    """

    heads: int
    length: int
    block_sizes: kernels.BlockSizes
    queries_padded: int
    keys_padded: int
    interpret: bool

    @classmethod
    def of(cls, q_shape: tuple[int, ...], length: int, device_kind: str) -> "_Call":
        b, n, s, _ = q_shape
        interpret = "TPU" not in device_kind
        blocks = _SMALLEST if interpret else _LARGEST
        queries, q_block = _fitted(s, blocks.queries, _LANES)
        keys, kv_block = _fitted(length, blocks.keys, min(blocks.at_once, _up(length, _LANES)))
        several = math.gcd(keys // kv_block, blocks.backward)
        at_once = min(blocks.at_once, kv_block)
        sizes = kernels.BlockSizes(
            block_q=q_block,
            block_kv=kv_block,
            block_kv_compute=at_once,
            block_q_dkv=q_block,
            block_kv_dkv=several * kv_block,
            block_kv_dkv_compute=at_once,
            use_fused_bwd_kernel=True,
        )
        return cls(b * n, length, sizes, queries, keys, interpret)

    def kernel(self, *, save_residuals: bool) -> kernels.SplashAttentionKernel:
        full = masks.FullMask((self.queries_padded, self.keys_padded))
        return kernels.make_splash_mha(
            masks.MultiHeadMask([full] * self.heads),
            block_sizes=self.block_sizes,
            save_residuals=save_residuals,
            head_shards=1,
            q_seq_shards=1,
            interpret=self.interpret,
        )

    def queries(self, x_BNSK) -> Float[Array, "n2 s2 k2"]:
        return _padded(x_BNSK, self.queries_padded)

    def keys(self, x_BNLK) -> Float[Array, "n2 l2 k2"]:
        return _padded(x_BNLK, self.keys_padded)

    def segments(self, counts_L) -> kernels.SegmentIds | None:
        """Segments, of which queries see their own alone: 1 for queries and for keys that count."""
        if counts_L is None and self.keys_padded == self.length:
            return None
        counts_L = jnp.ones(self.length, bool) if counts_L is None else counts_L
        counts_L = jnp.pad(counts_L, (0, self.keys_padded - self.length))
        return kernels.SegmentIds(
            jnp.ones(self.queries_padded, jnp.int32), counts_L.astype(jnp.int32)
        )


def _padded(x_BNSK, length: int):
    """[B N, length, a multiple of the lanes], with zeros behind the tokens and channels."""
    b, n, s, k = x_BNSK.shape
    width = 0 if k == 1 else -k % _LANES
    x = jnp.pad(x_BNSK, [(0, 0), (0, 0), (0, length - s), (0, width)])
    return x.reshape(b * n, length, k + width)


def _fitted(length: int, largest: int, multiple: int) -> tuple[int, int]:
    """The padded length, and the size of its equal blocks: as few and as small as will do."""
    blocks = -(-length // largest)
    block = _up(-(-length // blocks), multiple)
    return blocks * block, block


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _scale(q_BNSK) -> Array:
    return jnp.asarray(q_BNSK.shape[-1] ** -0.5, q_BNSK.dtype)
