"""Normalisation and modulation against torch, forward and backward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flax import nnx

from painting_jax.models.norms import LayerNorm, RMSNorm, gated, layer_norm, modulate
from tests.elsewhere import on_other_platforms

_SHAPES = [(2, 6, 8), (1, 21, 5)]


@pytest.fixture(params=["here", "elsewhere"], autouse=True)
def platform(request):
    with on_other_platforms(request.param == "elsewhere"):
        yield


def _same(ours, theirs, *inputs):
    """Compares values and the gradients of all inputs."""
    tensors = [torch.from_numpy(x).requires_grad_() for x in inputs]
    expected = theirs(*tensors)
    weights = np.random.default_rng(1).normal(size=expected.shape).astype(np.float32)
    (expected * torch.from_numpy(weights)).sum().backward()
    np.testing.assert_allclose(ours(*inputs), expected.detach(), atol=1e-5)
    gradients = jax.grad(lambda a: jnp.sum(ours(*a) * weights))(inputs)
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
