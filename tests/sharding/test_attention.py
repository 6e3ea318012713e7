"""Attention by blocks is attention, in bounded memory."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.sharding import NamedSharding, PartitionSpec

from painting_jax.sharding import attention as module
from painting_jax.sharding.attention import attention, heads_first
from painting_jax.sharding.mesh import make_mesh

_SHAPES = [(1, 24, 24, 3, 8), (2, 37, 37, 1, 16), (1, 50, 7, 2, 12)]


def _inputs(b, s, length, n, k, dtype=np.float32):
    rng = np.random.default_rng(s)
    shapes = (b, s, n, k), (b, length, n, k), (b, length, n, k)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def _plain(q, k, v, seen_SL=True):
    scores = np.einsum("bsnk,blnk->bnsl", q, k) / np.sqrt(q.shape[-1])
    scores = np.where(seen_SL, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("bnsl,blnk->bsnk", weights, v)


def _in_blocks(shape, blocks):
    b, s, length, n, _ = shape
    return mock.patch.object(module, "_BYTES_AT_ONCE", 4 * b * n * s * length / blocks)


@pytest.mark.parametrize("blocks", [1, 4, 5])
@pytest.mark.parametrize("shape", _SHAPES)
def test_equals_plain_attention_in_any_number_of_blocks(shape, blocks):
    q, k, v = _inputs(*shape)
    with _in_blocks(shape, blocks):
        out = jax.jit(attention)(q, k, v)
    expected = _plain(*(x.astype(np.float64) for x in (q, k, v)))
    np.testing.assert_allclose(out, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("causal", [False, True])
def test_heads_first_equals_plain_attention(causal):
    length = 65
    q, k, v = _inputs(1, length, length, 2, 8)
    out = jax.jit(heads_first, static_argnums=3)(*(x.swapaxes(1, 2) for x in (q, k, v)), causal)
    seen_SL = np.tri(length, dtype=bool) if causal else True
    expected = _plain(*(x.astype(np.float64) for x in (q, k, v)), seen_SL)
    np.testing.assert_allclose(out.swapaxes(1, 2), expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("queries", "keys", "causal"),
    [(24, 24, False), (24, 24, True), (65, 65, True), (50, 7, False)],
)
def test_gradients_are_those_of_torch(queries, keys, causal):
    inputs = [x.swapaxes(1, 2) for x in _inputs(2, queries, keys, 2, 8)]
    weights = np.random.default_rng(0).normal(size=inputs[0].shape).astype(np.float32)
    tensors = [torch.from_numpy(x.copy()).requires_grad_() for x in inputs]
    theirs = torch.nn.functional.scaled_dot_product_attention(*tensors, is_causal=causal)
    (theirs * torch.from_numpy(weights)).sum().backward()
    gradients = jax.grad(lambda qkv: jnp.sum(heads_first(*qkv, causal) * weights))(inputs)
    for ours, tensor in zip(gradients, tensors, strict=True):
        largest = tensor.grad.abs().max().item()
        np.testing.assert_allclose(ours, tensor.grad, atol=1e-5 * largest)


def test_no_matrix_of_all_weights_is_kept_for_the_backward_pass():
    q, k, v = map(jnp.asarray, _inputs(1, 64, 64, 2, 8))
    kept = jax.tree.leaves(jax.vjp(attention, q, k, v)[1])
    assert max(array.size for array in kept) <= q.size


@pytest.mark.parametrize("shape", _SHAPES)
def test_gradients_do_not_depend_on_the_blocks(shape):
    inputs = _inputs(*shape)

    def gradients(blocks):
        with _in_blocks(shape, blocks):
            return jax.jit(jax.grad(lambda qkv: jnp.sin(attention(*qkv)).sum()))(inputs)

    for one, several in zip(gradients(1), gradients(4), strict=True):
        np.testing.assert_allclose(several, one, atol=1e-6 * np.abs(one).max())


@pytest.mark.parametrize("gradient", [False, True], ids=["forward", "backward"])
def test_memory_does_not_grow_with_the_square_of_the_tokens(gradient):
    def needed(tokens):
        def loss(q, k, v):
            return attention(q, k, v).astype(jnp.float32).sum()

        x = jax.ShapeDtypeStruct((1, tokens, 2, 16), jnp.bfloat16)
        function = jax.grad(loss, argnums=(0, 1, 2)) if gradient else loss
        return jax.jit(function).lower(x, x, x).compile().memory_analysis().temp_size_in_bytes

    with mock.patch.object(module, "_BYTES_AT_ONCE", 2**18):
        # Four times the tokens: sixteen times the scores.
        assert needed(4096) < 5 * needed(1024)


def test_blocks_keep_to_the_devices_that_share_the_sequence():
    mesh = make_mesh({"data": 1, "fsdp": 1, "tensor": 2, "sequence": 4})
    shape = (1, 64, 64, 2, 8)
    sharding = NamedSharding(mesh, PartitionSpec(None, "sequence", "tensor"))
    with jax.set_mesh(mesh), _in_blocks(shape, 4 * 8):
        inputs = jax.device_put(_inputs(*shape), sharding)
        compiled = jax.jit(attention, out_shardings=sharding).lower(*inputs).compile()
        out = compiled(*inputs)
    np.testing.assert_allclose(out, _plain(*_inputs(*shape)), atol=1e-5)
    # The keys and values are gathered, the queries stay where they are.
    assert compiled.as_text().count(" all-gather(") <= 2
