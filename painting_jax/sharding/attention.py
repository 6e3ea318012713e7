"""Attention without a matrix of all scores: by a fused kernel, or block by block.

81 frames of 480x832 are 32,760 tokens in Wan. The scores of all pairs in one layer would take 52 GB
with 12 heads and 172 GB with 40.
"""

import functools
import math

import jax
import jax.extend
import jax.numpy as jnp
from jaxtyping import Array, Float

# Bytes of scores that a device holds at a time. More of them are computed block by block.
_BYTES_AT_ONCE = 2**28


def attention(
    q_BSNK: Float[Array, "b s n k"],
    k_BLNK: Float[Array, "b l n k"],
    v_BLNK: Float[Array, "b l n k"],
) -> Float[Array, "b s n k"]:
    """softmax(q k / sqrt(K)) v over all L, head by head, with the softmax in float32.

    On CUDA, half precision goes through cuDNN's fused kernel. Everything else is computed in blocks
    of queries, so that memory grows with S + L and not with their product. The backward pass
    computes the scores of each block again. Up to 256 MiB of scores per device are one block.

    Args:
      q_BSNK: queries.
      k_BLNK: keys.
      v_BLNK: values.
    """
    if _fused(q_BSNK):
        return jax.nn.dot_product_attention(q_BSNK, k_BLNK, v_BLNK, implementation="cudnn")
    q_BNSK, k_BNLK, v_BNLK = (x.swapaxes(1, 2) for x in (q_BSNK, k_BLNK, v_BLNK))
    b, n, s, k = q_BNSK.shape
    blocks = _blocks(q_BNSK.shape, k_BNLK.shape[2])
    if blocks == 1:
        return heads_first(q_BNSK, k_BNLK, v_BNLK).swapaxes(1, 2)
    padded = jnp.pad(q_BNSK, [(0, 0), (0, 0), (0, -s % blocks), (0, 0)])
    # A block takes every blocks-th query. So each device has its share of every block if the mesh
    # divides the sequence.
    q_jBNSK = jnp.moveaxis(padded.reshape(b, n, -1, blocks, k), 3, 0)
    out = jax.lax.map(lambda q_BNSK: heads_first(q_BNSK, k_BNLK, v_BNLK), q_jBNSK)
    out = jnp.moveaxis(out, 0, 3)
    return out.reshape(b, n, -1, k)[:, :, :s].swapaxes(1, 2)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def heads_first(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    causal: bool = False,
) -> Float[Array, "b n s k"]:
    """`attention` with the heads in front and all scores at once.

    The gradient is written by hand to save memory on every device. The backward pass computes the
    weights again from what is kept of the forward pass, the output and one number per query, as
    FlashAttention does (arXiv 2205.14135). Autodiff would keep S L weights per head.

    Args:
      q_BNSK: queries.
      k_BNLK: keys.
      v_BNLK: values.
      causal: whether each query sees only its own key and those before it (S = L).
    """
    return _forward(q_BNSK, k_BNLK, v_BNLK, causal)[0]


def _forward(q_BNSK, k_BNLK, v_BNLK, causal):
    scores_BNSL = _scores(q_BNSK, k_BNLK, causal)
    largest_BNS1 = scores_BNSL.max(-1, keepdims=True)
    weights_BNSL = jnp.exp(scores_BNSL - largest_BNS1)
    # The division comes after the product, when K numbers per query are left of L.
    total_BNS1 = weights_BNSL.sum(-1, keepdims=True)
    out_BNSK = _product("bnsl,bnlk->bnsk", weights_BNSL.astype(v_BNLK.dtype), v_BNLK)
    out_BNSK = (out_BNSK / total_BNS1).astype(q_BNSK.dtype)
    return out_BNSK, (q_BNSK, k_BNLK, v_BNLK, out_BNSK, largest_BNS1 + jnp.log(total_BNS1))


def _backward(causal, kept, grad_BNSK):
    q_BNSK, k_BNLK, v_BNLK, out_BNSK, log_total_BNS1 = kept
    dtype, scale = q_BNSK.dtype, _scale(q_BNSK)
    weights_BNSL = jnp.exp(_scores(q_BNSK, k_BNLK, causal) - log_total_BNS1)
    v_grad = _product("bnsl,bnsk->bnlk", weights_BNSL.astype(dtype), grad_BNSK)
    weights_grad_BNSL = _product("bnsk,bnlk->bnsl", grad_BNSK, v_BNLK)
    # The weights of a query sum to 1: a gradient that they share changes nothing.
    shared_BNS1 = _product("bnsk,bnsk->bns", grad_BNSK, out_BNSK)[..., None]
    scores_grad_BNSL = (weights_BNSL * (weights_grad_BNSL - shared_BNS1)).astype(dtype)
    q_grad = scale * _product("bnsl,bnlk->bnsk", scores_grad_BNSL, k_BNLK)
    k_grad = scale * _product("bnsl,bnsk->bnlk", scores_grad_BNSL, q_BNSK)
    return q_grad.astype(dtype), k_grad.astype(k_BNLK.dtype), v_grad.astype(v_BNLK.dtype)


heads_first.defvjp(_forward, _backward)


def _scores(q_BNSK, k_BNLK, causal: bool):
    scores_BNSL = _product("bnsk,bnlk->bnsl", q_BNSK * _scale(q_BNSK), k_BNLK)
    if not causal:
        return scores_BNSL
    return jnp.where(
        jnp.tri(scores_BNSL.shape[2], scores_BNSL.shape[3], dtype=bool), scores_BNSL, -jnp.inf
    )


def _scale(q_BNSK) -> float:
    return q_BNSK.shape[-1] ** -0.5


_product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)


def _fused(q_BSNK: jax.Array) -> bool:
    """Whether cuDNN has a kernel for these queries."""
    half = q_BSNK.dtype in (jnp.bfloat16, jnp.float16)
    head_fits = q_BSNK.shape[-1] <= 128 and q_BSNK.shape[-1] % 8 == 0
    return half and head_fits and "cuda" in jax.extend.backend.get_backend().platform_version


def _blocks(q_shape: tuple[int, int, int, int], keys: int) -> int:
    """The number of blocks that the queries are cut into."""
    b, n, s, _ = q_shape
    mesh = jax.sharding.get_abstract_mesh()
    devices = 1 if mesh.empty else mesh.size
    return math.ceil(4 * b * n * s * keys / devices / _BYTES_AT_ONCE)
