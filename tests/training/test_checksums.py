"""Checksums find every change of an array, on whichever devices it was and is."""

import functools
import math
import threading
import time

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from painting_jax.training import checksums
from painting_jax.training.checksums import Damaged

_SPECS = [(), ("x",), (None, "y"), ("x", "y"), (("x", "y"),), (None, ("x", "y"))]


def _on(array: np.ndarray, *spec, shape: tuple[int, int] = (2, 4)) -> jax.Array:
    mesh = jax.make_mesh(shape, ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    return jax.device_put(array, NamedSharding(mesh, PartitionSpec(*spec)))


def _values(dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((16, 24)).astype(dtype)


def _flipped(array: np.ndarray, bit: int) -> np.ndarray:
    data = bytearray(array.tobytes())
    data[bit // 8] ^= 1 << bit % 8
    return np.frombuffer(data, array.dtype).reshape(array.shape)


@pytest.mark.parametrize("after", _SPECS)
@pytest.mark.parametrize("before", _SPECS)
def test_an_array_may_lie_on_other_devices_and_must_be_the_same(before, after):
    values = _values()
    sums = checksums.of({"a": _on(values, *before)})
    checksums.check({"a": _on(values, *after, shape=(4, 2))}, sums)
    for bit in (0, 31, 16 * 24 * 32 - 1):
        with pytest.raises(Damaged, match=r"^a differs"):
            checksums.check({"a": _on(_flipped(values, bit), *after, shape=(4, 2))}, sums)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.float16, np.int32, np.uint8])
def test_arrays_of_every_kind_have_one(dtype):
    tree = {"matrix": _on(_values(dtype), "x"), "count": jnp.asarray(7, dtype), "none": None}
    sums = checksums.of(tree)
    assert sums.keys() == {"matrix", "count"}
    checksums.check(tree, sums)
    with pytest.raises(Damaged, match=r"^count differs"):
        checksums.check(tree | {"count": jnp.asarray(8, dtype)}, sums)


def test_parts_are_found_by_their_paths():
    tree = {"a": [jnp.zeros(3), {"b": jnp.ones(2)}]}
    sums = checksums.of(tree)
    assert sums.keys() == {"a/0", "a/1/b"}
    checksums.check({"a": [tree["a"][0]]}, sums)
    with pytest.raises(Damaged, match="no checksum of c"):
        checksums.check({"c": jnp.zeros(1)}, sums)


def test_swapped_and_moved_values_are_noticed():
    values = np.arange(6, dtype=np.float32)
    sums = checksums.of({"a": jnp.asarray(values), "b": jnp.asarray(values + 1)})
    with pytest.raises(Damaged, match="a, b differs"):
        checksums.check({"a": jnp.asarray(values + 1), "b": jnp.asarray(values)}, sums)
    with pytest.raises(Damaged, match="a differs"):
        checksums.check({"a": jnp.asarray(values[::-1].copy())}, sums)


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [[[[0, 2]], 0]],  # a part
        [[[[0, 10**15]], 0]],  # what no memory holds
        [[[[0, 3], [0, 1]], 0]],  # of other axes
        [[[[-3, 0]], 0]],
        [[[[0, 3]], 0], [[[0, 3]], 0]],
    ],
)
def test_records_that_do_not_fit_are_no_records(blocks):
    with pytest.raises(Damaged, match="no checksum of a"):
        checksums.check({"a": jnp.zeros(3)}, {"a": blocks})


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_what_no_training_comes_to_is_named(dtype, value):
    values = _values(dtype)
    checksums.check_sane({"a": _on(values, "x", "y"), "count": jnp.int32(10**9)})
    values[9, 9] = value
    with pytest.raises(Damaged, match=r"^a reaches (nan|inf|1e\+30)$"):
        checksums.check_sane({"a": _on(values, "x", "y"), "b": jnp.ones(3)})


def test_the_host_keeps_no_copy_of_what_is_checked(monkeypatch):
    """The arrays in question fill an accelerator; here they would, if they did not share memory."""
    leaf = _on(_values(), "x")
    sums = checksums.of({"a": leaf})
    made = []
    make = jax.make_array_from_single_device_arrays
    monkeypatch.setattr(
        jax, "make_array_from_single_device_arrays", lambda *args: made.append(1) or make(*args)
    )
    checksums.check({"a": leaf}, sums)
    assert len(made) == 2
    assert leaf._npy_value is None


def test_threads_share_the_work(monkeypatch):
    names = set()
    crc32 = checksums._crc32

    def slowly(array):
        names.add(threading.current_thread().name)
        time.sleep(0.05)
        return crc32(array)

    monkeypatch.setattr(checksums, "_crc32", slowly)
    monkeypatch.setattr(checksums.os, "cpu_count", lambda: 4)
    checksums.of({str(n): jnp.zeros(2) for n in range(8)})
    assert len(names) > 1


def test_blocks_of_several_processes_come_together(monkeypatch):
    """Each of two processes holds half of an array, and neither knows the other's checksums."""
    values = _values()
    whole = _on(values, "x")
    held = checksums._held(whole)
    halves = [dict(list(held.items())[:1]), dict(list(held.items())[1:])]
    monkeypatch.setattr(jax, "process_count", lambda: 2)

    def run(function) -> list:
        """Runs two processes, in step: each waits for what the other gathers."""
        results, gathered, barrier = [None, None], [None, None], threading.Barrier(2)
        place = threading.local()

        def allgather(mine):
            gathered[place.index] = mine
            barrier.wait(10)
            both = np.stack(gathered)
            barrier.wait(10)
            return both

        monkeypatch.setattr(checksums.multihost_utils, "process_allgather", allgather)
        monkeypatch.setattr(checksums, "_held", lambda leaf: halves[place.index])
        # The threads of a pool do not know whose they are.
        monkeypatch.setattr(checksums, "_in_threads", lambda work, n: [*map(work, range(n))])

        def process(index):
            place.index = index
            try:
                results[index] = function()
            except Damaged as error:
                results[index] = error

        threads = [threading.Thread(target=process, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    first, second = run(functools.partial(checksums.of, {"a": whole}))
    assert first == second
    assert len(first["a"]) == 2
    assert run(functools.partial(checksums.check, {"a": whole}, first)) == [None, None]
    # What one of them finds damaged, both do.
    first["a"][1][1] ^= 1
    assert all(isinstance(r, Damaged) for r in run(lambda: checksums.check({"a": whole}, first)))
    assert math.isfinite(float(values.sum()))
