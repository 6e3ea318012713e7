"""Attention without a matrix of all scores: which kernel computes it, and in which pieces.

Wan's 81 frames of 480x832 are 32,760 tokens: the scores of all pairs of one layer would be 52 GB
for 12 heads and 172 GB for 40.
"""

import functools
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
    out = jax.lax.map(lambda q_BNSK: heads_first(q_BNSK, k_BNLK, v_BNLK), q_jBNSK)
    out = jnp.moveaxis(out, 0, 3)
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


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _rows(q_BNRK, k_BNLK, v_BNLK, first: int | None):
    """`heads_first` of some queries; `first` is the place of the first, for a causal mask.

    The backward pass computes the weights again: to keep them would take R L numbers a head.
    """
    return _rows_forward(q_BNRK, k_BNLK, v_BNLK, first)[0]


def _rows_forward(q_BNRK, k_BNLK, v_BNLK, first):
    scores_BNRL = _scores(q_BNRK, k_BNLK, first)
    largest_BNR1 = scores_BNRL.max(-1, keepdims=True)
    weights_BNRL = jnp.exp(scores_BNRL - largest_BNR1)
    # Divided when there are K numbers a query, no longer L.
    total_BNR1 = weights_BNRL.sum(-1, keepdims=True)
    out_BNRK = _product("bnrl,bnlk->bnrk", weights_BNRL.astype(v_BNLK.dtype), v_BNLK)
    out_BNRK = (out_BNRK / total_BNR1).astype(q_BNRK.dtype)
    return out_BNRK, (q_BNRK, k_BNLK, v_BNLK, out_BNRK, largest_BNR1 + jnp.log(total_BNR1))


def _rows_backward(first, kept, grad_BNRK):
    q_BNRK, k_BNLK, v_BNLK, out_BNRK, log_total_BNR1 = kept
    dtype, scale = q_BNRK.dtype, _scale(q_BNRK)
    weights_BNRL = jnp.exp(_scores(q_BNRK, k_BNLK, first) - log_total_BNR1)
    of_v = _product("bnrl,bnrk->bnlk", weights_BNRL.astype(dtype), grad_BNRK)
    of_weights_BNRL = _product("bnrk,bnlk->bnrl", grad_BNRK, v_BNLK)
    # The weights sum to 1: what all of them would gain changes nothing.
    shared_BNR1 = _product("bnrk,bnrk->bnr", grad_BNRK, out_BNRK)[..., None]
    of_scores_BNRL = (weights_BNRL * (of_weights_BNRL - shared_BNR1)).astype(dtype)
    of_q = scale * _product("bnrl,bnlk->bnrk", of_scores_BNRL, k_BNLK)
    of_k = scale * _product("bnrl,bnrk->bnlk", of_scores_BNRL, q_BNRK)
    return of_q.astype(dtype), of_k.astype(k_BNLK.dtype), of_v.astype(v_BNLK.dtype)


_rows.defvjp(_rows_forward, _rows_backward)


def _scores(q_BNRK, k_BNLK, first: int | None):
    scores_BNRL = _product("bnrk,bnlk->bnrl", q_BNRK * _scale(q_BNRK), k_BNLK)
    if first is None:
        return scores_BNRL
    return jnp.where(jnp.tri(*scores_BNRL.shape[2:], first, dtype=bool), scores_BNRL, -jnp.inf)


def _scale(q_BNRK) -> float:
    return q_BNRK.shape[-1] ** -0.5


_product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)


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
