"""Attention without a matrix of all scores, on every platform and over every mesh.

81 frames of 480x832 are 32,760 tokens in Wan. The scores of all pairs in one layer would take 52 GB
with 12 heads and 172 GB with 40.

Shapes: B batch, S queries, L keys, N heads, K head width.
"""

import dataclasses
import functools

import jax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float

from painting_jax.sharding import cudnn, plain_attention, sequence_parallel, splash
from painting_jax.sharding.padding import Padding
from painting_jax.sharding.rules import fitting_spec
from painting_jax.sharding.sequence_parallel import (
    CROSS_ATTENTION,
    SELF_ATTENTION,
    Kernel,
    Ring,
    least_ring,
)
from painting_jax.sharding.target import target_device

# Implementation -> what it is.
IMPLEMENTATIONS = {
    "auto": "the fastest one for the device and the dtype",
    "plain": "block by block, on every platform",
    "splash": "fused kernels for TPUs (interpreted elsewhere)",
    "cudnn": "fused kernels for NVIDIA GPUs, in half precision",
}


@dataclasses.dataclass(frozen=True)
class Strategy:
    """How attention is computed; the result is the same.

    Attributes:
      implementation: one of `IMPLEMENTATIONS`.
      ring: number of groups that the devices of the sequence axis form: the groups pass keys and
        values round, the devices within a group share the heads. 0 = the fewest that heads allow.
    """

    implementation: str = "auto"
    ring: int = 0


FASTEST = Strategy()


def attention(
    q_BSNK: Float[Array, "b s n k"],
    k_BLNK: Float[Array, "b l n k"],
    v_BLNK: Float[Array, "b l n k"],
    padding: Padding | None = None,
    strategy: Strategy = FASTEST,
) -> Float[Array, "b s n k"]:
    """softmax(q k / sqrt(K)) v over all L, head by head, with the softmax in float32.

    Over the current mesh (`jax.set_mesh`), batch, tokens of the queries and heads are laid as
    `rules.LOGICAL` says. Memory grows with S + L and not with their product.

    Args:
      q_BSNK: queries.
      k_BLNK: keys.
      v_BLNK: values.
      padding: for self-attention, the padding of the tokens: queries and keys are of the same
        tokens, spread over the same devices. None: every device has the keys of all tokens.
      strategy: how it is computed.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1:
        return _on_device(q_BSNK, k_BLNK, v_BLNK, padding, strategy, Ring())
    queries = fitting_spec("heads", q_BSNK.shape, mesh)
    batch, tokens, heads, _ = queries
    spread = padding is not None and tokens is not None
    keys = queries if spread else PartitionSpec(batch, None, heads, None)
    ring = Ring()
    if spread:
        devices = mesh.shape["sequence"]
        local_heads = q_BSNK.shape[2] // (mesh.shape["tensor"] if heads else 1)
        groups = strategy.ring or least_ring(devices, local_heads)
        ring = Ring("sequence", devices, groups)
    function = functools.partial(_on_device, padding=padding, strategy=strategy, ring=ring)
    # Pallas's kernels do not say along which axes their results vary.
    return jax.shard_map(
        function, in_specs=(queries, keys, keys), out_specs=queries, check_vma=False
    )(q_BSNK, k_BLNK, v_BLNK)


def _on_device(q_BSNK, k_BLNK, v_BLNK, padding: Padding | None, strategy: Strategy, ring: Ring):
    implementation = strategy.implementation
    if implementation == "auto":
        implementation = _fastest(q_BSNK)
    padded = padding is not None and padding.counts(0, 1) is not None
    if implementation == "cudnn" and padded and ring.groups > 1:
        # Its kernels know no keys in between that do not count, and a ring cannot cut them out.
        implementation = "plain"
    cut = implementation == "cudnn" and padded
    around = functools.partial(
        sequence_parallel.around,
        counts=_all_count if padding is None or cut else padding.counts,
        kernel=_kernel(implementation, target_device().device_kind),
        ring=ring,
        name=CROSS_ATTENTION if padding is None else SELF_ATTENTION,
    )

    def local(q_BNSK, k_BNLK, v_BNLK):
        if cut:
            k_BNLK, v_BNLK = padding.cut(k_BNLK), padding.cut(v_BNLK)
        return around(q_BNSK, k_BNLK, v_BNLK)

    return sequence_parallel.attend(local, q_BSNK, k_BLNK, v_BLNK, ring)


def _all_count(first, tokens) -> None:
    del first, tokens


def _kernel(implementation: str, device_kind: str) -> Kernel:
    if implementation == "plain":
        return Kernel(plain_attention.forward, plain_attention.backward)
    if implementation == "cudnn":
        return Kernel(cudnn.forward, cudnn.backward)
    return Kernel(
        functools.partial(splash.forward, device_kind=device_kind),
        functools.partial(splash.backward, device_kind=device_kind),
    )


def _fastest(q_BSNK) -> str:
    device = target_device()
    if device.platform == "tpu":
        return "splash"
    fits = cudnn.takes(device.device_kind, q_BSNK.dtype, q_BSNK.shape[-1])
    return "cudnn" if fits else "plain"
