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
    blocks = _blocks(q_BSNK.shape, k_BLNK.shape[1])
    if blocks == 1:
        return jax.nn.dot_product_attention(q_BSNK, k_BLNK, v_BLNK, implementation="xla")
    b, s, n, k = q_BSNK.shape
    padded = jnp.pad(q_BSNK, [(0, 0), (0, -s % blocks), (0, 0), (0, 0)])
    # A block takes every blocks-th query: then each device has its share of every block where the
    # mesh divides the sequence.
    q_jBSNK = jnp.moveaxis(padded.reshape(b, -1, blocks, n, k), 2, 0)

    @jax.checkpoint
    def attend(q_BSNK):
        return jax.nn.dot_product_attention(q_BSNK, k_BLNK, v_BLNK, implementation="xla")

    out = jnp.moveaxis(jax.lax.map(attend, q_jBSNK), 0, 2)
    return out.reshape(b, -1, n, k)[:, :s]


def _fused(q_BSNK: jax.Array) -> bool:
    """Whether cuDNN has a kernel for it."""
    half = q_BSNK.dtype in (jnp.bfloat16, jnp.float16)
    head_fits = q_BSNK.shape[-1] <= 128 and q_BSNK.shape[-1] % 8 == 0
    return half and head_fits and "cuda" in jax.extend.backend.get_backend().platform_version


def _blocks(q_shape: tuple[int, int, int, int], keys: int) -> int:
    """Into how many blocks the queries are cut."""
    b, s, n, _ = q_shape
    mesh = jax.sharding.get_abstract_mesh()
    devices = 1 if mesh.empty else mesh.size
    return math.ceil(4 * b * n * s * keys / devices / _BYTES_AT_ONCE)
