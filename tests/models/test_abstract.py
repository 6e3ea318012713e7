"""Networks with shapes in the place of arrays are traced once, and each caller has its own."""

import jax
from flax import nnx

from painting_jax.models.abstract import abstract

traced = []


class Layer(nnx.Module):
    def __init__(self, width: int, *, bias: bool = True):
        traced.append((width, bias))
        self.linear = nnx.Linear(width, width, use_bias=bias, rngs=nnx.Rngs(0))


def test_a_network_is_traced_once_and_changed_by_nobody_else():
    first, second = abstract(Layer, 3), abstract(Layer, 3)
    assert traced == [(3, True)]
    assert first.linear.kernel.shape == (3, 3)
    _, kernel = jax.tree.leaves(nnx.state(first))
    assert isinstance(kernel, jax.ShapeDtypeStruct)
    first.linear.kernel.set_value(jax.ShapeDtypeStruct((9,), kernel.dtype))
    del first.linear.bias
    assert second.linear.kernel.shape == (3, 3)
    assert abstract(Layer, 3).linear.kernel.shape == (3, 3)


def test_other_sizes_are_another_network():
    assert abstract(Layer, 4, bias=False).linear.kernel.shape == (4, 4)
    assert abstract(Layer, 4).linear.bias.shape == (4,)
