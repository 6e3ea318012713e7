"""Kernels in int8: how far they round, and that a scan holds no stack of them as floats."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import qwix
from flax import nnx

from painting_jax.models import fast_on_cpu, lora
from painting_jax.models.head_projections import from_heads, to_heads
from painting_jax.models.layers import linear
from painting_jax.models.quantised_kernel import multiplied, quantised

_LAYERS, _INPUTS, _OUTPUTS, _HEADS = 3, 20, 12, 3
_RNG = np.random.default_rng(0)
# Layers and channels of very different sizes, which one scale for all would lose.
_SIZES = np.geomspace(1e-3, 1e3, _LAYERS * _OUTPUTS).reshape(_LAYERS, 1, _OUTPUTS)
_KERNELS = (_SIZES * _RNG.normal(size=(_LAYERS, _INPUTS, _OUTPUTS))).astype(np.float32)
_X = _RNG.normal(size=(2, 5, _INPUTS)).astype(np.float32)


def test_a_product_is_off_by_half_a_step_of_each_weight_at_most():
    kernels = quantised(jnp.asarray(_KERNELS))
    assert kernels.qvalue.dtype == jnp.int8
    assert kernels.scale.shape == (_LAYERS, 1, _OUTPUTS)
    for layer, kernel_IO in enumerate(_KERNELS):
        one = jax.tree.map(lambda leaf, layer=layer: leaf[layer], kernels)
        actual = multiplied(jnp.matmul, _X, one, jnp.float32)
        # The largest weight is 127.5 steps: it is cut to 127.
        half_IO = np.broadcast_to(np.abs(kernel_IO).max(0) / 127.5 / 2, kernel_IO.shape)
        bound = 1.001 * np.abs(_X) @ half_IO
        assert (np.abs(actual - _X @ kernel_IO) <= bound).all()
        assert np.abs(actual - _X @ kernel_IO).max() > 0


def test_a_channel_of_zeros_stays_zero():
    kernel = quantised(jnp.zeros((4, 2)))
    np.testing.assert_array_equal(multiplied(jnp.matmul, jnp.ones((1, 4)), kernel, jnp.float32), 0)


def _layers(inputs: int, outputs: int) -> list[nnx.Module]:
    """An adapted layer whose kernel is quantised, and the same as an array."""
    layers = []
    for as_array in (lambda kernel: kernel, qwix.dequantize):
        holder = nnx.Module()
        holder.layer = linear(inputs, outputs, rngs=nnx.Rngs(0), dtype=jnp.float32)
        a, b = (
            jax.random.normal(jax.random.key(n), s)
            for n, s in enumerate([(inputs, 2), (2, outputs)])
        )
        lora.attach(holder, {"layer": lora.Branch(a, b)})
        kernel = quantised(holder.layer.kernel.get_value())
        holder.layer.kernel.set_value(as_array(kernel))
        layers.append(holder.layer)
    return layers


_APPLIED = {
    "plain": (_INPUTS, lambda layer, x: layer(x)),
    "into heads": (_INPUTS, lambda layer, x: to_heads(layer, x, _HEADS)),
    "out of heads": (_INPUTS, lambda layer, x: from_heads(layer, x.reshape(2, 5, 4, -1))),
}


@pytest.mark.parametrize("how", _APPLIED)
def test_outputs_and_gradients_are_those_of_the_kernel_as_an_array(how, monkeypatch):
    monkeypatch.setattr(fast_on_cpu, "enabled", lambda: False)
    inputs, function = _APPLIED[how]

    def loss(trained, graph, rest):
        params, x = trained
        return jnp.sin(function(nnx.merge(graph, params, rest), x)).sum()

    found = []
    for layer in _layers(inputs, _OUTPUTS):
        graph, params, rest = nnx.split(layer, nnx.LoRAParam, ...)
        found.append(jax.value_and_grad(loss)((params, jnp.asarray(_X)), graph, rest))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), *found)


def test_a_scan_keeps_no_stack_of_floats_for_the_backward_pass():
    kernels = quantised(jnp.ones((_LAYERS, _INPUTS, _INPUTS)))

    def loss(x, kernels, dense):
        def block(x, kernel):
            if dense:
                return jnp.sin(x @ qwix.dequantize(kernel)), None
            return jnp.sin(multiplied(jnp.matmul, x, kernel, jnp.float32)), None

        return jax.lax.scan(block, x, kernels)[0].sum()

    whole = f"f32[{_LAYERS},{_INPUTS},{_INPUTS}]"
    for dense in (False, True):
        traced = jax.make_jaxpr(lambda x, dense=dense: jax.grad(loss)(x, kernels, dense))(_X)
        assert (whole in str(traced)) == dense
