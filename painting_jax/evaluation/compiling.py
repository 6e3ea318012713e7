"""Compiles small functions in little time.

An evaluation runs a few dozen functions on few videos, and on a CPU XLA compiles each for longer
than it runs. Networks, which run long, are compiled as usual.
"""

from typing import Any

import jax

# XLA's older emitters, for one thread, take a third to a half of the time. Without LLVM's
# optimisations a function takes a tenth of it, and runs as long if it spends its time in products
# of matrices.
_OPTIONS = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
_LEVEL, _LEVEL_OF_LOOPS = 0, 1

_compiled: dict[tuple, Any] = {}


def quickly(function: Any, *args: Any, loops: bool = False, **static: Any) -> Any:
    """Calls a jitted function, compiled in little time where that is a matter of time.

    Args:
      function: From `jax.jit`.
      *args: Its arguments, trees of arrays.
      loops: Whether it runs long over pixels, so that its loops should be fast.
      **static: Its static arguments.
    """
    leaves, tree = jax.tree.flatten(args)
    shared = any(isinstance(x, jax.Array) and len(x.sharding.device_set) > 1 for x in leaves)
    if shared or jax.default_backend() != "cpu":
        return function(*args, **static)
    shapes = tuple((x.shape, x.dtype) for x in leaves)
    key = (function, tree, shapes, tuple(static.items()))
    if key not in _compiled:
        level = _LEVEL_OF_LOOPS if loops else _LEVEL
        options = {**_OPTIONS, "xla_backend_optimization_level": level}
        _compiled[key] = function.lower(*args, **static).compile(compiler_options=options)
    return _compiled[key](*args)
