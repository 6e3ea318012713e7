"""Attention in plain JAX, block by block: for every platform, any size and either direction.

Shapes: B batch, N heads, S queries, L keys, K head width.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# Bytes of scores that a device holds at a time. More of them are computed block by block.
_BYTES_AT_ONCE = 2**28
# Score of a key that does not count. Not infinite: all keys of a block may be such.
_NO_SCORE = -1e30


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def heads_first(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    causal: bool = False,
) -> Float[Array, "b n s k"]:
    """softmax(q k / sqrt(K)) v with all scores at once, and the softmax in float32.

    The gradient is written by hand to save memory on every device. The backward pass computes the
    weights again from what is kept of the forward pass, the output and one number per query, as
    FlashAttention does (arXiv 2205.14135). Autodiff would keep S L weights per head.

    Args:
      q_BNSK: queries.
      k_BNLK: keys.
      v_BNLK: values.
      causal: whether each query sees only its own key and those before it (S = L).
    """
    return _at_once(q_BNSK, k_BNLK, v_BNLK, causal, None)[0]


def _heads_first_forward(q_BNSK, k_BNLK, v_BNLK, causal):
    out_BNSK, log_total_BNS = _at_once(q_BNSK, k_BNLK, v_BNLK, causal, None)
    return out_BNSK, (q_BNSK, k_BNLK, v_BNLK, out_BNSK, log_total_BNS)


def _heads_first_backward(causal, kept, grad_BNSK):
    q_BNSK, k_BNLK, v_BNLK, out_BNSK, log_total_BNS = kept
    gradients = _gradients(
        q_BNSK, k_BNLK, v_BNLK, out_BNSK, log_total_BNS, grad_BNSK, causal=causal
    )
    return tuple(
        gradient.astype(x.dtype)
        for gradient, x in zip(gradients, (q_BNSK, k_BNLK, v_BNLK), strict=True)
    )


heads_first.defvjp(_heads_first_forward, _heads_first_backward)


def forward(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    counts_L: Bool[Array, " l"] | None,
) -> tuple[Float[Array, "b n s k"], Float[Array, "b n s"]]:
    """Attention, and the logarithm of each query's sum of exponentials, in blocks of queries.

    Memory grows with S + L and not with their product.

    Args:
      q_BNSK: queries.
      k_BNLK: keys.
      v_BNLK: values.
      counts_L: which keys count; None = all.
    """
    block = functools.partial(_at_once, causal=False, counts_L=counts_L)
    blocks = _blocks(q_BNSK.shape, k_BNLK.shape[2])
    if blocks == 1:
        return block(q_BNSK, k_BNLK, v_BNLK)
    out, log_total = jax.lax.map(lambda q_BNSK: block(q_BNSK, k_BNLK, v_BNLK), _cut(q_BNSK, blocks))
    queries = q_BNSK.shape[2]
    return _joined(out)[:, :, :queries], _joined(log_total)[:, :, :queries]


def backward(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    counts_L: Bool[Array, " l"] | None,
    out_BNSK: Float[Array, "b n s k"],
    log_total_BNS: Float[Array, "b n s"],
    grad_BNSK: Float[Array, "b n s k"],
) -> tuple[Float[Array, "b n s k"], Float[Array, "b n l k"], Float[Array, "b n l k"]]:
    """Gradients of queries, keys and values, float32, in blocks of queries.

    `out_BNSK` and `log_total_BNS` may be those over more keys than these (ring attention): the
    gradients are then these keys' parts.

    Args:
      q_BNSK: queries.
      k_BNLK: keys.
      v_BNLK: values.
      counts_L: which keys count; None = all.
      out_BNSK: output of `forward`.
      log_total_BNS: second output of `forward`.
      grad_BNSK: gradient of the output.
    """
    blocks = _blocks(q_BNSK.shape, k_BNLK.shape[2])
    if blocks == 1:
        return _gradients(
            q_BNSK, k_BNLK, v_BNLK, out_BNSK, log_total_BNS, grad_BNSK, counts_L=counts_L
        )

    def block(sums, of_block):
        q, out, log_total, grad = of_block
        q_grad, *of_keys = _gradients(q, k_BNLK, v_BNLK, out, log_total, grad, counts_L=counts_L)
        return jax.tree.map(jnp.add, sums, tuple(of_keys)), q_grad

    zeros = jnp.zeros(k_BNLK.shape, jnp.float32)
    # Queries of padding have a gradient of zero, so that they add nothing.
    parts = tuple(_cut(x, blocks) for x in (q_BNSK, out_BNSK, log_total_BNS, grad_BNSK))
    (k_grad, v_grad), q_grad = jax.lax.scan(block, (zeros, zeros), parts)
    return _joined(q_grad)[:, :, : q_BNSK.shape[2]], k_grad, v_grad


def _at_once(q_BNSK, k_BNLK, v_BNLK, causal, counts_L):
    scores_BNSL = _scores(q_BNSK, k_BNLK, causal, counts_L)
    largest_BNS1 = scores_BNSL.max(-1, keepdims=True)
    weights_BNSL = jnp.exp(scores_BNSL - largest_BNS1)
    # The division comes after the product, when K numbers per query are left of L.
    total_BNS1 = weights_BNSL.sum(-1, keepdims=True)
    out_BNSK = _product("bnsl,bnlk->bnsk", weights_BNSL.astype(v_BNLK.dtype), v_BNLK)
    out_BNSK = (out_BNSK / total_BNS1).astype(q_BNSK.dtype)
    return out_BNSK, (largest_BNS1 + jnp.log(total_BNS1))[..., 0]


def _gradients(
    q_BNSK, k_BNLK, v_BNLK, out_BNSK, log_total_BNS, grad_BNSK, *, causal=False, counts_L=None
):
    dtype, scale = q_BNSK.dtype, _scale(q_BNSK)
    scores_BNSL = _scores(q_BNSK, k_BNLK, causal, counts_L)
    weights_BNSL = jnp.exp(scores_BNSL - log_total_BNS[..., None])
    v_grad = _product("bnsl,bnsk->bnlk", weights_BNSL.astype(dtype), grad_BNSK)
    weights_grad_BNSL = _product("bnsk,bnlk->bnsl", grad_BNSK, v_BNLK)
    # The weights of a query sum to 1: a gradient that they share changes nothing.
    shared_BNS1 = _product("bnsk,bnsk->bns", grad_BNSK, out_BNSK)[..., None]
    scores_grad_BNSL = (weights_BNSL * (weights_grad_BNSL - shared_BNS1)).astype(dtype)
    q_grad = scale * _product("bnsl,bnlk->bnsk", scores_grad_BNSL, k_BNLK)
    k_grad = scale * _product("bnsl,bnsk->bnlk", scores_grad_BNSL, q_BNSK)
    return q_grad, k_grad, v_grad


def _scores(q_BNSK, k_BNLK, causal: bool, counts_L):
    scores_BNSL = _product("bnsk,bnlk->bnsl", q_BNSK * _scale(q_BNSK), k_BNLK)
    if counts_L is not None:
        scores_BNSL = jnp.where(counts_L, scores_BNSL, _NO_SCORE)
    if causal:
        queries, keys = scores_BNSL.shape[2:]
        seen_SL = jnp.tri(queries, keys, dtype=bool)
        scores_BNSL = jnp.where(seen_SL, scores_BNSL, _NO_SCORE)
    return scores_BNSL


def _scale(q_BNSK) -> float:
    return q_BNSK.shape[-1] ** -0.5


_product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)


def _blocks(q_shape: tuple[int, int, int, int], keys: int) -> int:
    """The number of blocks that the queries are cut into."""
    b, n, s, _ = q_shape
    return max(1, math.ceil(4 * b * n * s * keys / _BYTES_AT_ONCE))


def _cut(x, blocks: int):
    """[B, N, S, ...] in blocks of queries, [blocks, B, N, S / blocks, ...]; zeros fill the last."""
    b, n, s = x.shape[:3]
    padded = jnp.pad(x, [(0, 0), (0, 0), (0, -s % blocks)] + [(0, 0)] * (x.ndim - 3))
    return jnp.moveaxis(padded.reshape(b, n, blocks, -1, *x.shape[3:]), 2, 0)


def _joined(x):
    """The inverse of `_cut`, up to the padding."""
    x = jnp.moveaxis(x, 0, 2)
    return x.reshape(*x.shape[:2], -1, *x.shape[4:])
