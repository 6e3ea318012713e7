"""Measures the 1.3B transformer with random bfloat16 weights at 81 frames of 480x832."""

import math
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.timing import Row, seconds
from painting_jax.models.wan import flops as flops_lib
from painting_jax.models.wan import params as wan
from painting_jax.models.wan.transformer import SIZES, WanTransformer
from painting_jax.training import throughput

_CONFIG = SIZES["wan21_t2v_1_3b"]
_LATENTS = (21, 60, 104)  # latents of 81 frames of 480x832
_TEXT = 512
_DTYPE = jnp.bfloat16


def measure(runs: int, tell: Callable[[str], None]) -> list[Row]:
    """Seconds, memory and share of peak FLOP/s of a forward pass, and of one with all gradients.

    Args:
      runs: Number of runs of each, after one that compiles.
      tell: Called with the name of each measurement.
    """
    graph = nnx.graphdef(nnx.eval_shape(_make))
    params = jax.jit(_random)(jax.random.key(0))
    latents = jax.random.normal(jax.random.key(1), (1, *_LATENTS, _CONFIG.in_channels), _DTYPE)
    text = jax.random.normal(jax.random.key(2), (1, _TEXT, _CONFIG.text_dim), _DTYPE)

    def forward(params, latents, text):
        return nnx.merge(graph, params)(latents, jnp.full((1, 1), 500.0), text)

    def backward(params, *inputs):
        return jax.grad(lambda params: jnp.square(forward(params, *inputs)).mean())(params)

    tokens = math.prod(n // p for n, p in zip(_LATENTS, _CONFIG.patch, strict=True))
    flops = flops_lib.forward_flops(_CONFIG, tokens, _TEXT)
    arguments = (params, latents, text)
    rows = []
    for what, function, useful in (
        ("forward", forward, flops),
        ("forward and backward, blocks recomputed", backward, 3 * flops),
    ):
        tell(what)
        compiled = jax.jit(function).lower(*arguments).compile()
        rows += _measured(what, compiled, arguments, useful, runs)
    return rows


def _make() -> WanTransformer:
    return WanTransformer(_CONFIG, rngs=nnx.Rngs(0), dtype=_DTYPE)


def _random(key: jax.Array) -> nnx.State:
    """Random parameters of the usual magnitude, in the dtypes in which they are loaded."""

    def draw(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        dtype = jnp.float32 if re.search(wan.FLOAT32, name) else _DTYPE
        # The values do not matter, so large arrays repeat a small one.
        return jnp.resize(0.02 * jax.random.normal(key, (4096,), dtype), leaf.shape)

    shapes = nnx.state(nnx.eval_shape(_make), nnx.Param)
    return jax.tree_util.tree_map_with_path(draw, shapes)


def _measured(what: str, compiled, arguments: tuple, flops: float, runs: int) -> list[Row]:
    def work() -> None:
        jax.block_until_ready(compiled(*arguments))

    work()
    times = [seconds(work) for _ in range(runs)]
    memory = compiled.memory_analysis()
    needed = memory.temp_size_in_bytes + memory.argument_size_in_bytes
    needed += memory.output_size_in_bytes
    rows = [
        Row(what, "s", times, f"{flops / 1e12:,.0f} TFLOP, recomputing left out"),
        Row(f"{what}: memory", "GiB", [needed / 2**30], "parameters included"),
    ]
    peak = throughput.peak_flops(jax.devices()[0].device_kind)
    if peak:
        shares = [100 * flops / time / peak for time in times]
        rows.append(
            Row(f"{what}: share of the peak", "%", shares, f"of {peak / 1e12:,.0f} TFLOP/s")
        )
    return rows
