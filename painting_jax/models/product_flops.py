"""FLOPs of the matrix products and convolutions of a function, counted in its traced program."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Jaxpr, JaxprEqn, jaxprs_in_params


def product_flops(function: Callable, *arguments: Any) -> float:
    """Multiply-adds of a function's products and convolutions, counted as two FLOPs each.

    Nothing is computed. A loop counts as often as it runs; of the branches of a condition, the one
    with the most work counts; a loop of unknown length counts once, as does a kernel of Pallas.

    Args:
      function: Function of arrays.
      arguments: Trees of arrays, or of their shapes.
    """
    return _of_program(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_program(program: Jaxpr) -> float:
    return sum(map(_of_operation, program.eqns))


def _of_operation(operation: JaxprEqn) -> float:
    name, params = operation.primitive.name, operation.params
    if name == "dot_general":
        left = operation.invars[0].aval.shape
        (contracted, _), _ = params["dimension_numbers"]
        return 2.0 * operation.outvars[0].aval.size * math.prod(left[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = operation.invars[1].aval
        outputs = kernel.shape[params["dimension_numbers"].rhs_spec[0]]
        return 2.0 * operation.outvars[0].aval.size * kernel.size / outputs
    inner = [_of_program(program) for program in jaxprs_in_params(params)]
    if name == "cond":
        return max(inner)
    if name == "shard_map":
        # What is written is the work of one device.
        return sum(inner) * math.prod(params["mesh"].shape[axis] for axis in params["manual_axes"])
    return params.get("length", 1) * sum(inner) if name == "scan" else sum(inner)
