"""What is read from a compiled program equals what the program was written to do."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from painting_jax.planning.hlo import Program
from painting_jax.sharding.mesh import make_mesh

_ONE = {"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}


def _compiled(function, *shapes, **options) -> Program:
    return Program(jax.jit(function, **options).lower(*shapes).compile().as_text())


def test_products_in_loops_count_as_often_as_they_run():
    x = jax.ShapeDtypeStruct((16, 32), jnp.float32)
    weights = jax.ShapeDtypeStruct((7, 32, 32), jnp.float32)

    def layers(x, weights):
        return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, weights)[0]

    work = _compiled(layers, x, weights).work(_ONE)
    assert work.product_flops == 7 * 2 * 16 * 32 * 32


def test_loops_within_loops_multiply():
    x = jax.ShapeDtypeStruct((64, 64), jnp.float32)

    def twice(x):
        inner = lambda x, _: (x @ x, None)  # noqa: E731
        outer = lambda x, _: (jax.lax.scan(inner, x, length=3)[0] + 1, None)  # noqa: E731
        return jax.lax.scan(outer, x, length=5)[0]

    assert _compiled(twice, x).work(_ONE).product_flops == 15 * 2 * 64**3


def test_exchanges_are_told_by_the_axes_that_they_go_over():
    mesh = make_mesh({"data": 2, "fsdp": 2, "sequence": 2})
    sharding = NamedSharding(mesh, PartitionSpec("data", "fsdp"))
    x = jax.ShapeDtypeStruct((8, 128), jnp.float32, sharding=sharding)

    def gathered(x):
        whole = jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec("data")))
        return jnp.sin(whole)

    program = _compiled(gathered, x, out_shardings=NamedSharding(mesh, PartitionSpec("data")))
    work = program.work(dict(mesh.shape))
    [(exchange, calls)] = work.calls.items()
    assert (exchange.kind, exchange.axes, exchange.devices, calls) == (
        "all-gather",
        ("fsdp",),
        2,
        1,
    )
    # Four rows of a device, whole.
    assert work.sent[exchange] == 4 * 128 * 4


def test_a_sum_over_two_axes_names_both():
    mesh = make_mesh({"data": 2, "fsdp": 2, "tensor": 2})
    sharding = NamedSharding(mesh, PartitionSpec(("data", "fsdp")))
    x = jax.ShapeDtypeStruct((8, 16), jnp.float32, sharding=sharding)
    work = _compiled(lambda x: x.sum(0), x).work(dict(mesh.shape))
    assert {exchange.axes for exchange in work.calls} == {("data", "fsdp")}


def test_of_a_stack_that_a_loop_reads_each_layer_counts_once():
    stack = jax.ShapeDtypeStruct((50, 1024), jnp.float32)

    def summed(stack):
        return jax.lax.scan(lambda total, row: (total + row, None), jnp.zeros(1024), stack)[0]

    moved = _compiled(summed, stack).work(_ONE).bytes
    # A row, and the sum read and written; not the whole stack fifty times.
    assert 3 * 50 * 4096 <= moved < 8 * 50 * 4096


@pytest.mark.parametrize(
    ("groups", "first"),
    [
        ("replica_groups={{0,2},{1,3}}", [0, 2]),
        ("replica_groups=[2,4]<=[8]", [0, 1, 2, 3]),
        ("replica_groups=[4,2]<=[2,4]T(1,0)", [0, 4]),
        ("replica_groups=mesh['a'=2,'b'=2,'c'=2] {'a','c'}", [0, 1, 4, 5]),
        ("source_target_pairs={{0,4},{4,0}}", [0, 4]),
    ],
)
def test_groups_of_devices_are_read_in_every_notation(groups, first):
    text = (
        "ENTRY %main (x: f32[8]) -> f32[8] {\n  %x = f32[8]{0} parameter(0)\n"
        f"  ROOT %y = f32[8]{{0}} all-reduce(%x), {groups}, to_apply=%add\n}}\n"
    )
    [exchange] = Program(text).work({"data": 2, "fsdp": 2, "sequence": 2}).calls
    assert exchange.devices == len(first)
    axes = [("data", 4), ("fsdp", 2), ("sequence", 1)]
    assert exchange.axes == tuple(a for a, stride in axes if any(d // stride % 2 for d in first))


@pytest.mark.parametrize(
    ("window", "met"),
    [
        ("size=3 pad=1_1", 13),  # Five outputs; the first and the last miss a place each.
        ("size=1", 5),
        ("size=5 pad=4_0", 15),  # As a causal convolution: one place, two, and so on.
    ],
)
def test_a_place_of_a_window_that_meets_padding_is_no_work(window, met):
    text = (
        "ENTRY %main (x: f32[2,5,8], w: f32[9,8,16]) -> f32[2,5,16] {\n"
        "  %x = f32[2,5,8]{2,1,0} parameter(0)\n  %w = f32[9,8,16]{2,1,0} parameter(1)\n"
        "  ROOT %y = f32[2,5,16]{2,1,0} convolution(%x, %w), "
        f"window={{{window}}}, dim_labels=b0f_0io->b0f\n}}\n"
    )
    assert Program(text).work(_ONE).product_flops == 2 * 2 * 8 * 16 * met
