"""Attention without a matrix of all scores: which kernel computes it, and in which pieces.

Wan's 81 frames of 480x832 are 32,760 tokens: the scores of all pairs of one layer would be 52 GB
for 12 heads and 172 GB for 40.
"""

import math

import jax
import jax.extend
import jax.numpy as jnp
from jaxtyping import Array, Float

# Scores that a device holds at a time; more of them are computed block by block.
_BYTES_AT_ONCE = 2**28


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
    scale = q_BNSK.shape[-1] ** -0.5
    scores_BNSL = jnp.einsum(
        "bnsk,bnlk->bnsl", q_BNSK * scale, k_BNLK, preferred_element_type=jnp.float32
    )
    if causal:
        seen_SL = jnp.tri(*scores_BNSL.shape[2:], dtype=bool)
        scores_BNSL = jnp.where(seen_SL, scores_BNSL, -jnp.inf)
    # Any number may be taken off, so no gradient has to pass through the largest.
    largest = jax.lax.stop_gradient(scores_BNSL.max(-1, keepdims=True))
    weights_BNSL = jnp.exp(scores_BNSL - largest)
    # Divided when there are K numbers a query, no longer L.
    total_BNS1 = weights_BNSL.sum(-1, keepdims=True)
    out_BNSK = jnp.einsum(
        "bnsl,bnlk->bnsk",
        weights_BNSL.astype(v_BNLK.dtype),
        v_BNLK,
        preferred_element_type=jnp.float32,
    )
    return (out_BNSK / total_BNS1).astype(q_BNSK.dtype)


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
