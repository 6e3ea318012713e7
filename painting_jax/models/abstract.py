"""Networks with shapes in the place of arrays.

Nothing is allocated. Tracing a network still takes up to a second, so each is traced once.
"""

import functools
from collections.abc import Callable, Hashable

import jax
from flax import nnx

from painting_jax.models import fast_on_cpu

_KEPT = 64  # networks


def abstract(
    make: Callable[..., nnx.Module], *sizes: Hashable, **execution: Hashable
) -> nnx.Module:
    """The network `make(*sizes, **execution)` with a `jax.ShapeDtypeStruct` for each array.

    The result may be changed: each call returns a network of its own.

    Args:
      make: Makes the network. Only for a function that is defined once, at the top of a module or
        as a method, are results kept from one call to the next.
      *sizes: Positional arguments.
      **execution: Other arguments.
    """
    # The network is not the same for all devices.
    graph, state = _split(make, sizes, tuple(execution.items()), fast_on_cpu.enabled())
    # A copy, since the merged network has the variables of the state that it is merged from.
    return nnx.merge(graph, jax.tree.map(lambda leaf: leaf, state))


@functools.lru_cache(_KEPT)
def _split(make, sizes, execution, on_cpu):
    del on_cpu
    return nnx.split(nnx.eval_shape(lambda: make(*sizes, **dict(execution))))
