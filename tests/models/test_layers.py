"""Shared layers against torch, forward and backward, on CPUs and in the plain code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flax import nnx
from scipy import ndimage

from painting_jax.models.layers import (
    LayerNorm,
    RMSNorm,
    gated,
    gaussian_blur,
    layer_norm,
    linear,
    modulate,
)
from tests.elsewhere import on_other_platforms

_SHAPES = [(2, 6, 8), (1, 21, 5)]
_LINEAR = [(5, 3), (2, 7, 3), (2, 3, 4, 3)]


@pytest.fixture(params=["here", "elsewhere"], autouse=True)
def platform(request):
    with on_other_platforms(request.param == "elsewhere"):
        yield


def _with_gradients(function, weights, *inputs):
    """The value, and the gradients of its weighted sum."""

    @jax.jit
    def both(*inputs):
        value, backward = jax.vjp(function, *inputs)
        return value, backward(weights)

    return both(*inputs)


def _same(ours, theirs, *inputs):
    """Compares values and the gradients of all inputs."""
    tensors = [torch.from_numpy(x).requires_grad_() for x in inputs]
    expected = theirs(*tensors)
    weights = np.random.default_rng(1).normal(size=expected.shape).astype(np.float32)
    (expected * torch.from_numpy(weights)).sum().backward()
    value, gradients = _with_gradients(ours, weights, *inputs)
    np.testing.assert_allclose(value, expected.detach(), atol=1e-5)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        largest = tensor.grad.abs().max().item()
        np.testing.assert_allclose(gradient, tensor.grad, atol=1e-5 * largest)


def _with(norm, **parameters):
    graph, state = nnx.split(norm)
    nnx.replace_by_pure_dict(state, parameters)
    return nnx.merge(graph, state)


def _draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("shape", _SHAPES)
def test_layer_norm(shape):
    d = shape[-1]
    _same(layer_norm, lambda x: F.layer_norm(x, (d,), eps=1e-6), *_draw(shape))

    def ours(x, scale, bias):
        return _with(LayerNorm(d), scale=scale, bias=bias)(x)

    _same(ours, lambda x, w, b: F.layer_norm(x, (d,), w, b, 1e-6), *_draw(shape, (d,), (d,)))


@pytest.mark.parametrize("shape", _SHAPES)
def test_rms_norm(shape):
    def ours(x, scale):
        return _with(RMSNorm(shape[-1]), scale=scale)(x)

    _same(ours, lambda x, w: F.rms_norm(x, shape[-1:], w, 1e-6), *_draw(shape, shape[-1:]))


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("shape", _SHAPES)
def test_modulation_is_one_a_sample_or_one_a_frame(shape, frames):
    b, s, d = shape

    def repeat(x):
        return x.repeat_interleave(s // frames, 1)

    each = (b, frames, d)
    _same(
        modulate,
        lambda x, shift, scale: x * (1 + repeat(scale)) + repeat(shift),
        *_draw(shape, each, each),
    )
    _same(gated, lambda x, u, gate: x + repeat(gate) * u, *_draw(shape, shape, each))


def _layer(kernel, bias, dtype=jnp.float32):
    graph, state = nnx.split(linear(*kernel.shape, rngs=nnx.Rngs(0), dtype=dtype))
    nnx.replace_by_pure_dict(state, {"kernel": kernel, "bias": bias})
    return nnx.merge(graph, state)


@pytest.mark.parametrize("shape", _LINEAR)
def test_linear(shape):
    x, kernel, bias, weights = _draw(shape, (3, 6), (6,), (*shape[:-1], 6))
    theirs = [torch.from_numpy(a).requires_grad_() for a in (x, kernel, bias)]
    expected = torch.nn.functional.linear(theirs[0], theirs[1].T, theirs[2])
    (expected * torch.from_numpy(weights)).sum().backward()

    value, gradients = _with_gradients(
        lambda x, kernel, bias: _layer(kernel, bias)(x), weights, x, kernel, bias
    )
    np.testing.assert_allclose(value, expected.detach(), atol=1e-5)
    for ours, tensor in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(ours, tensor.grad, atol=1e-5)


def test_computes_in_its_dtype_and_learns_in_float32():
    x, kernel, bias = _draw((2, 3), (3, 6), (6,))
    layer = _layer(kernel, bias, jnp.bfloat16)
    assert layer(x).dtype == jnp.bfloat16
    gradients = jax.grad(lambda layer: layer(x).astype(jnp.float32).sum())(layer)
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(gradients))} == {jnp.dtype("float32")}


@pytest.mark.parametrize("learned", ["x", "kernel"])
def test_keeps_only_what_a_gradient_is_asked_of(learned):
    x, kernel, bias = map(jnp.asarray, _draw((11, 3), (3, 6), (6,)))
    if learned == "x":
        backward = jax.vjp(_layer(kernel, bias), x)[1]
    else:
        backward = jax.vjp(lambda kernel: _layer(kernel, bias)(x), kernel)[1]
    kept = {leaf.shape for leaf in jax.tree.leaves(backward)}
    assert ((11, 3) in kept, (3, 6) in kept) == (learned == "kernel", learned == "x")


def test_layers_of_a_kind_share_what_is_compiled():
    graphs = [nnx.split(linear(3, 6, rngs=nnx.Rngs(n), dtype=jnp.float32))[0] for n in (0, 1)]
    assert graphs[0] == graphs[1]
    assert hash(graphs[0]) == hash(graphs[1])


@pytest.mark.parametrize("sigma", [2.0, 7.0, 40.0])
def test_a_blur_of_any_width_is_scipys(sigma):
    y, x = np.mgrid[:150, :170]
    picture = np.stack([np.sin(y / 30) + x / 100, np.cos((x + y) / 25)], -1)[None]
    picture[:, 40:90, 60:110] += 1
    expected = ndimage.gaussian_filter(picture, (0, sigma, sigma, 0), mode="nearest", truncate=3)
    blurred = jax.jit(gaussian_blur, static_argnums=1)(picture.astype(np.float32), sigma)
    np.testing.assert_allclose(blurred, expected, atol=0.02)
