"""Attention is the same whatever computes it and however the mesh spreads it, in bounded memory."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.sharding import NamedSharding, PartitionSpec

from painting_jax.sharding import plain_attention
from painting_jax.sharding.attention import Strategy, attention
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.padding import Padding
from painting_jax.sharding.plain_attention import heads_first

_SHAPES = [(1, 24, 24, 3, 8), (2, 37, 37, 1, 16), (1, 50, 7, 2, 12), (1, 300, 530, 2, 128)]


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


def _of_torch(inputs, causal=False):
    """The output and the gradients of torch in float64."""
    tensors = [torch.from_numpy(x.astype(np.float64)).requires_grad_() for x in inputs]
    out = torch.nn.functional.scaled_dot_product_attention(
        *(x.transpose(1, 2) for x in tensors), is_causal=causal
    ).transpose(1, 2)
    (out * torch.from_numpy(_weights(inputs))).sum().backward()
    return out.detach().numpy(), [x.grad.numpy() for x in tensors]


def _weights(inputs):
    return np.random.default_rng(0).normal(size=inputs[0].shape).astype(np.float32)


def _with_gradients(function, inputs):
    weights = _weights(inputs)

    def loss(qkv):
        out = function(*qkv)
        return jnp.sum(out * weights), out

    gradients, out = jax.jit(jax.grad(loss, has_aux=True))(inputs)
    return out, gradients


def _close(actual, expected, share):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=share * np.abs(expected).max())


def _in_blocks(shape, blocks):
    b, s, length, n, _ = shape
    return mock.patch.object(plain_attention, "_BYTES_AT_ONCE", 4 * b * n * s * length / blocks)


@pytest.mark.parametrize("blocks", [1, 4, 5])
@pytest.mark.parametrize("shape", _SHAPES)
def test_equals_torch_in_any_number_of_blocks(shape, blocks):
    inputs = _inputs(*shape)
    with _in_blocks(shape, blocks):
        out, gradients = _with_gradients(attention, inputs)
    expected, expected_gradients = _of_torch(inputs)
    _close(out, expected, 1e-6)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        _close(ours, theirs, 1e-5)


@pytest.mark.parametrize("shape", _SHAPES)
def test_the_kernels_for_tpus_equal_torch_at_lengths_that_divide_by_nothing(shape):
    inputs = _inputs(*shape)
    splash = Strategy(implementation="splash")
    out, gradients = _with_gradients(lambda *qkv: attention(*qkv, strategy=splash), inputs)
    expected, expected_gradients = _of_torch(inputs)
    _close(out, expected, 1e-6)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        _close(ours, theirs, 1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_heads_first_equals_torch(causal):
    inputs = _inputs(1, 65, 65, 2, 8)

    def heads_second(q, k, v):
        return heads_first(*(x.swapaxes(1, 2) for x in (q, k, v)), causal).swapaxes(1, 2)

    out, gradients = _with_gradients(heads_second, inputs)
    expected, expected_gradients = _of_torch(inputs, causal)
    _close(out, expected, 1e-6)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        _close(ours, theirs, 1e-5)


# Mesh, ring, frames, tokens of a frame, heads: what divides, and what does not.
_SPREAD = [
    ({"sequence": 8}, 0, 3, 8, 8),
    ({"sequence": 8}, 0, 3, 7, 4),
    ({"sequence": 8}, 8, 3, 7, 8),
    ({"sequence": 8}, 4, 5, 5, 6),
    ({"sequence": 8}, 0, 3, 5, 3),
    ({"sequence": 4, "tensor": 2}, 0, 3, 7, 6),
    ({"sequence": 2, "tensor": 2, "fsdp": 2}, 2, 3, 7, 6),
    ({"sequence": 2, "data": 2, "fsdp": 2}, 0, 1, 9, 3),
]


@pytest.mark.parametrize("implementation", ["plain", "splash"])
@pytest.mark.parametrize(("sizes", "ring", "frames", "tokens", "heads"), _SPREAD)
def test_devices_that_share_the_tokens_equal_torch(
    sizes, ring, frames, tokens, heads, implementation
):
    inputs = _inputs(4, frames * tokens, frames * tokens, heads, 16)
    mesh = make_mesh({"data": 1} | sizes)
    strategy = Strategy(implementation, ring)
    with jax.set_mesh(mesh):
        padding = Padding.of(frames, tokens)

        def spread(*qkv):
            padded = (padding.pad(x.swapaxes(1, 2)).swapaxes(1, 2) for x in qkv)
            out = attention(*padded, padding, strategy)
            return padding.cut(out.swapaxes(1, 2)).swapaxes(1, 2)

        out, gradients = _with_gradients(spread, inputs)
    expected, expected_gradients = _of_torch(inputs)
    _close(out, expected, 1e-6)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        _close(ours, theirs, 1e-5)


def test_keys_that_every_device_has_are_not_moved():
    mesh = make_mesh({"data": 1, "tensor": 2, "sequence": 4})
    inputs = _inputs(1, 64, 12, 2, 8)
    with jax.set_mesh(mesh):
        sharding = NamedSharding(mesh, PartitionSpec(None, "sequence", "tensor"))
        placed = jax.device_put(inputs[0], sharding), *inputs[1:]
        compiled = jax.jit(attention, out_shardings=sharding).lower(*placed).compile()
        out = compiled(*placed)
    _close(out, _plain(*inputs), 1e-6)
    assert not any(name in compiled.as_text() for name in ("all-gather", "all-to-all", "permute"))


def test_heads_are_shared_by_one_exchange_of_each_array():
    mesh = make_mesh({"data": 1, "sequence": 8})
    shape = jax.ShapeDtypeStruct(
        (1, 64, 8, 8), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec(None, "sequence"))
    )
    with jax.set_mesh(mesh):
        self_attention = jax.jit(lambda q, k, v: attention(q, k, v, Padding.of(4, 16)))
        text = self_attention.lower(shape, shape, shape).compile().as_text()
    assert text.count(" all-to-all(") == 4
    assert "all-gather" not in text


def test_no_matrix_of_all_weights_is_kept_for_the_backward_pass():
    q, k, v = map(jnp.asarray, _inputs(1, 64, 64, 2, 8))
    kept = jax.tree.leaves(jax.vjp(attention, q, k, v)[1])
    assert max(array.size for array in kept) <= q.size


@pytest.mark.parametrize("gradient", [False, True], ids=["forward", "backward"])
def test_memory_does_not_grow_with_the_square_of_the_tokens(gradient):
    def needed(tokens):
        def loss(q, k, v):
            return attention(q, k, v).astype(jnp.float32).sum()

        x = jax.ShapeDtypeStruct((1, tokens, 2, 16), jnp.bfloat16)
        function = jax.grad(loss, argnums=(0, 1, 2)) if gradient else loss
        return jax.jit(function).lower(x, x, x).compile().memory_analysis().temp_size_in_bytes

    with mock.patch.object(plain_attention, "_BYTES_AT_ONCE", 2**18):
        # Four times the tokens: sixteen times the scores.
        assert needed(4096) < 5 * needed(1024)
