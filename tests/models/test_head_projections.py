"""Products over heads are the linear layers that they stand for, with and without adapters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from painting_jax.models import fast_on_cpu, lora
from painting_jax.models.head_projections import from_heads, to_heads
from painting_jax.models.layers import RMSNorm, linear

_HEADS, _WIDTH = 3, 4
_DIM = _HEADS * _WIDTH


@pytest.fixture
def accelerator(monkeypatch):
    """The code that TPUs and GPUs compile."""
    monkeypatch.setattr(fast_on_cpu, "enabled", lambda: False)


def _layer(adapted: bool):
    holder = nnx.Module()
    holder.layer = linear(_DIM, _DIM, rngs=nnx.Rngs(0), dtype=jnp.float32)
    holder.layer.bias[...] = jnp.arange(_DIM, dtype=jnp.float32)
    if adapted:
        keys = jax.random.split(jax.random.key(1), 3)
        shapes = (_DIM, 2), (2, _DIM), (_DIM,)
        branch = lora.Branch(*(jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True)))
        lora.attach(holder, {"layer": branch})
    return holder.layer


_x = jax.random.normal(jax.random.key(2), (2, 5, _DIM))


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.usefixtures("accelerator")
def test_into_heads(adapted):
    layer = _layer(adapted)
    expected = layer(_x).reshape(2, 5, _HEADS, _WIDTH)
    np.testing.assert_allclose(to_heads(layer, _x, _HEADS), expected, atol=1e-5)


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.usefixtures("accelerator")
def test_out_of_heads(adapted):
    layer = _layer(adapted)
    actual = from_heads(layer, _x.reshape(2, 5, _HEADS, _WIDTH))
    np.testing.assert_allclose(actual, layer(_x), atol=1e-5)


@pytest.mark.usefixtures("accelerator")
def test_a_norm_over_all_heads():
    norm = RMSNorm(_DIM)
    norm.scale[...] = jnp.arange(_DIM, dtype=jnp.float32)
    actual = norm.of_heads(_x.reshape(2, 5, _HEADS, _WIDTH))
    np.testing.assert_allclose(actual, norm(_x).reshape(actual.shape), atol=1e-5)


@pytest.mark.usefixtures("accelerator")
def test_gradients_of_adapters():
    layer = _layer(adapted=True)
    graph, params, rest = nnx.split(layer, nnx.LoRAParam, ...)

    def loss(params, function):
        return jnp.sin(function(nnx.merge(graph, params, rest))).sum()

    by_heads = jax.grad(loss)(params, lambda layer: to_heads(layer, _x, _HEADS))
    plain = jax.grad(loss)(params, lambda layer: layer(_x))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), by_heads, plain)
