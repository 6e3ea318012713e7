"""Lack of memory in one line, with the numbers and what to lower."""

import subprocess
import sys
import textwrap

import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax import memory
from painting_jax.errors import UserError
from tests import tiny


class XlaRuntimeError(Exception):
    """As JAX names it."""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1099511627776 bytes.",
            "1.0 TiB asked for at once",
        ),
        (
            "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12.50GiB.",
            "12.5 GiB asked for at once",
        ),
        (
            "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory "
            "space hbm. Used 22.30G of 15.75G hbm. Exceeded hbm capacity by 6.55G.",
            "22.3 GiB asked for at once",
        ),
        ("RESOURCE_EXHAUSTED: no more", "out of memory;"),
        ("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY: out of memory", "out of memory;"),
    ],
)
def test_the_numbers_are_taken_from_the_devices_error(said, shown):
    error = XlaRuntimeError(said)
    assert memory.is_exhausted(error)
    assert shown in memory.shortage(error)
    assert memory.shortage(error).endswith(f"this machine has {memory.in_words(memory.host())}")


def test_the_limit_of_a_device_is_named_where_it_has_one(monkeypatch):
    monkeypatch.setattr(memory, "of_device", lambda device: 16 << 30)
    said = memory.shortage(XlaRuntimeError("RESOURCE_EXHAUSTED: allocate 20.00GiB"))
    assert said == "out of memory: 20.0 GiB asked for at once; a device has 16.0 GiB"


@pytest.mark.parametrize(
    "ask", [lambda: jnp.zeros(10**13), lambda: np.zeros(10**15), lambda: bytearray(10**17)]
)
def test_real_errors_become_a_line(ask):
    with pytest.raises(UserError) as caught, memory.explained(lambda: "lower --frames"):
        ask()
    assert str(caught.value).startswith("out of memory")
    assert str(caught.value).endswith("GiB: lower --frames")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [ValueError("RESOURCE_EXHAUSTED"), XlaRuntimeError("INTERNAL: a bug"), UserError("x")]
)
def test_other_errors_pass(error):
    assert not memory.is_exhausted(error)
    with pytest.raises(type(error)), memory.explained(lambda: ""):
        raise error


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (3.25 * 2**30, "3.2 GiB"),
        (2**50 - 1, "1,024.0 TiB"),
        (5e18, "4.3 EiB"),
        (1e24, "867,361.7 EiB"),
    ],
)
def test_amounts_are_written_as_people_read_them(count, words):
    assert memory.in_words(count) == words


def test_a_container_has_less_than_its_machine(monkeypatch, tmp_path):
    there = memory.host()
    assert 2**28 < there < 2**45
    (tmp_path / "memory.max").write_text("1073741824\n")
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    assert memory.host() == min(there, 2**30)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.host() >= there


def test_what_is_loaded_must_fit():
    memory.require(2**20, "the model", [_Device(2**30), _Device(2**30)], "take another")
    with pytest.raises(UserError) as caught:
        memory.require(3 * 2**30, "the model", [_Device(2**30), _Device(2**30)], "take another")
    assert str(caught.value) == "the model needs 3.0 GiB of memory, there are 2.0 GiB: take another"
    with pytest.raises(UserError, match="there are"):
        memory.require(2**60, "the model", [_Device(None)], "take another")


class _Device:
    def __init__(self, limit: int | None):
        self._limit = limit

    def memory_stats(self) -> dict | None:
        return None if self._limit is None else {"bytes_limit": self._limit}


def test_a_program_without_advice_ends_in_a_line():
    code = """
        import numpy as np
        from painting_jax import cli
        cli.run(lambda: np.zeros(10**15), ["verb"])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    tiny.assert_one_line(done, "out of memory: 7.1 PiB asked for at once; this machine has")


def test_the_log_has_the_most_that_a_device_had_in_use():
    devices = [
        _Measured({"peak_bytes_in_use": peak, "bytes_limit": 9}) for peak in (10**9, 3 * 10**9)
    ]
    assert memory.in_use(_Mesh(devices)) == {"memory_gb": 3.0}
    assert memory.in_use(_Mesh([_Measured(None)])) == {}


class _Measured:
    def __init__(self, stats):
        self.memory_stats = lambda: stats


class _Mesh:
    def __init__(self, devices):
        self.local_devices = devices
