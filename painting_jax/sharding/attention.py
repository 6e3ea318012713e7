"""Attention without a matrix of all scores: which kernel computes it, and in which pieces.

Wan's 81 frames of 480x832 are 32,760 tokens: the scores of all pairs of one layer would be 52 GB
for 12 heads and 172 GB for 40.
"""

import itertools
import math

import jax
import jax.extend
import jax.numpy as jnp
from jaxtyping import Array, Float

# Scores that a device holds at a time; more of them are computed block by block.
_BYTES_AT_ONCE = 2**28

# On a CPU, many products of a little more rows than these take twice the time of their halves:
# the heads of vision transformers, of 257 tokens a picture.
_ROWS = 256


def attention(
    q_BSNK: Float[Array, "b s n k"],
    k_BLNK: Float[Array, "b l n k"],
    v_BLNK: Float[Array, "b l n k"],
) -> Float[Array, "b s n k"]:
    """softmax(q k / sqrt(K)) v over all L, head by head; the softmax in float32.

    On CUDA, half precision goes through cuDNN's fused kernel. Everything else is computed by
    blocks of queries, so that memory grows with S + L rather than with their product, in the
    backward pass too, which computes each block's scores again. Up to 256 MiB of scores a device
    there is one block.
    """
    if _fused(q_BSNK):
        return jax.nn.dot_product_attention(q_BSNK, k_BLNK, v_BLNK, implementation="cudnn")
    q_BNSK, k_BNLK, v_BNLK = (x.swapaxes(1, 2) for x in (q_BSNK, k_BLNK, v_BLNK))
    b, n, s, k = q_BNSK.shape
    blocks = _blocks(q_BNSK.shape, k_BNLK.shape[2])
    if blocks == 1:
        return heads_first(q_BNSK, k_BNLK, v_BNLK).swapaxes(1, 2)
    padded = jnp.pad(q_BNSK, [(0, 0), (0, 0), (0, -s % blocks), (0, 0)])
    # A block takes every blocks-th query: then each device has its share of every block where the
    # mesh divides the sequence.
    q_jBNSK = jnp.moveaxis(padded.reshape(b, n, -1, blocks, k), 3, 0)
    attend = jax.checkpoint(lambda q_BNSK: heads_first(q_BNSK, k_BNLK, v_BNLK))
    out = jnp.moveaxis(jax.lax.map(attend, q_jBNSK), 0, 3)
    return out.reshape(b, n, -1, k)[:, :, :s].swapaxes(1, 2)


def heads_first(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    *,
    causal: bool = False,
) -> Float[Array, "b n s k"]:
    """`attention` with the heads in front and all scores at once.

    On a CPU it takes half the time of JAX's own, which has the heads behind in every product.

    Args:
      q_BNSK: queries.
      k_BNLK: keys.
      v_BNLK: values.
      causal: each query sees the keys up to its own place; as many queries as keys.
    """
    queries = q_BNSK.shape[2]
    halved = jax.default_backend() == "cpu" and _ROWS < queries <= 2 * _ROWS
    ends = (0, queries // 2, queries) if halved else (0, queries)
    return jnp.concatenate(
        [
            _rows(q_BNSK[:, :, first:end], k_BNLK, v_BNLK, first if causal else None)
            for first, end in itertools.pairwise(ends)
        ],
        2,
    )


def _rows(q_BNRK, k_BNLK, v_BNLK, first: int | None):
    """`heads_first` of some queries; `first` is the place of the first, for a causal mask."""
    scale = q_BNRK.shape[-1] ** -0.5
    scores_BNRL = jnp.einsum(
        "bnrk,bnlk->bnrl", q_BNRK * scale, k_BNLK, preferred_element_type=jnp.float32
    )
    if first is not None:
        seen_RL = jnp.tri(*scores_BNRL.shape[2:], first, dtype=bool)
        scores_BNRL = jnp.where(seen_RL, scores_BNRL, -jnp.inf)
    # Any number may be taken off, so no gradient has to pass through the largest.
    largest = jax.lax.stop_gradient(scores_BNRL.max(-1, keepdims=True))
    weights_BNRL = jnp.exp(scores_BNRL - largest)
    # Divided when there are K numbers a query, no longer L.
    total_BNR1 = weights_BNRL.sum(-1, keepdims=True)
    out_BNRK = jnp.einsum(
        "bnrl,bnlk->bnrk",
        weights_BNRL.astype(v_BNLK.dtype),
        v_BNLK,
        preferred_element_type=jnp.float32,
    )
    return (out_BNRK / total_BNR1).astype(q_BNRK.dtype)


def _fused(q_BSNK: jax.Array) -> bool:
    """Whether cuDNN has a kernel for it."""
    half = q_BSNK.dtype in (jnp.bfloat16, jnp.float16)
    head_fits = q_BSNK.shape[-1] <= 128 and q_BSNK.shape[-1] % 8 == 0
    return half and head_fits and "cuda" in jax.extend.backend.get_backend().platform_version


def _blocks(q_shape: tuple[int, int, int, int], keys: int) -> int:
    """Into how many blocks the queries are cut."""
    b, n, s, _ = q_shape
    mesh = jax.sharding.get_abstract_mesh()
    devices = 1 if mesh.empty else mesh.size
    return math.ceil(4 * b * n * s * keys / devices / _BYTES_AT_ONCE)
