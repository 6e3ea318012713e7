"""A run that was interrupted and resumed, or spread over two processes, is the run left alone."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from tests import compiler
from tests.conftest import TINY


def command(data_dir: pathlib.Path, workdir: pathlib.Path, *more: str) -> list[str]:
    overrides = [f"--config.{name}={value}" for name, value in TINY.items()]
    flags = [f"--data_dir={data_dir}", f"--workdir={workdir}", *overrides, *more]
    return [sys.executable, "-m", "painting_jax.train", *flags]


ENVIRONMENT = os.environ | {"XLA_FLAGS": compiler.flags()}


def final_state(workdir: pathlib.Path, steps: int = TINY["steps"]) -> dict[str, np.ndarray]:
    path = workdir / "checkpoints" / str(steps) / "state"
    # Whatever devices of whichever process it was saved from.
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    tree = ocp.Checkpointer(ocp.StandardCheckpointHandler()).restore(
        path.resolve(), args=ocp.args.StandardRestore(fallback_sharding=here)
    )
    leaves = {}

    def note(name, value):
        if isinstance(value, dict):
            for key, entry in value.items():
                note(f"{name}/{key}", entry)
        elif isinstance(value, (list, tuple)):
            for key, entry in enumerate(value):
                note(f"{name}/{key}", entry)
        elif value is not None:
            leaves[name] = np.asarray(value)

    note("", tree)
    return leaves


def seen_examples(workdir: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in (workdir / "examples.jsonl").read_text().splitlines()]


def run(arguments: list[str]) -> str:
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stop_when(
    arguments: list[str], moment: Callable[[], bool], number: int
) -> subprocess.CompletedProcess:
    """Starts a run and sends it a signal as soon as a moment has come."""
    process = subprocess.Popen(
        arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not moment():
        time.sleep(0.005)
    assert process.poll() is None, "the run ended before it was stopped"
    process.send_signal(number)
    out, errors = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, errors)


@pytest.fixture(scope="module")
def uninterrupted(painted_dir, tmp_path_factory) -> pathlib.Path:
    """The workdir of a run that was left alone."""
    workdir = tmp_path_factory.mktemp("uninterrupted") / "run"
    run(command(painted_dir, workdir))
    return workdir


def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(
    uninterrupted, painted_dir, tmp_path
):
    arguments = command(painted_dir, tmp_path / "run")
    log, checkpoints = tmp_path / "run" / "examples.jsonl", tmp_path / "run" / "checkpoints"

    def stopped_at(step: int, number: int) -> subprocess.CompletedProcess:
        before = log.stat().st_ino if log.exists() else None

        def begun() -> bool:
            # Each start writes the log anew.
            is_new = log.exists() and log.stat().st_ino != before
            return is_new and log.read_bytes().count(b"\n") >= step

        return stop_when(arguments, begun, number)

    def saved() -> int:
        return max(int(path.name) for path in checkpoints.glob("*") if path.name.isdigit())

    def check_saved(done: subprocess.CompletedProcess, status: int, word: str) -> None:
        """Asserts that a signal has ended a run once its step was done and saved, out of turn."""
        assert done.returncode == status, done.stderr
        assert done.stderr.splitlines()[-1] == word
        assert "Traceback" not in done.stderr
        assert saved() == len(seen_examples(tmp_path / "run"))
        steps = f"stopped after step {saved()} of {TINY['steps']}, saved: the same command resumes"
        assert steps in done.stdout

    # Ctrl-C before the first checkpoint is due, a kill after it, and a signal at a step that nobody
    # chose.
    check_saved(stopped_at(2, signal.SIGINT), 130, "interrupted")
    assert stopped_at(6, signal.SIGKILL).returncode == -signal.SIGKILL
    check_saved(stopped_at(random.randrange(7, 10), signal.SIGTERM), 143, "terminated")
    assert f"resumed after step {saved()};" in run(arguments)
    assert seen_examples(tmp_path / "run") == seen_examples(uninterrupted)
    expected, actual = final_state(uninterrupted), final_state(tmp_path / "run")
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)
    assert "trained" in run(arguments), "a finished run is left as it is"
    np.testing.assert_array_equal(final_state(tmp_path / "run")["/step"], expected["/step"])
    longer = TINY["steps"] + 2
    said = run([*arguments, f"--config.steps={longer}"])
    assert f"resumed after step {TINY['steps']};" in said
    assert f"lengthened from {TINY['steps']} to {longer} steps" in said
    assert saved() == len(seen_examples(tmp_path / "run")) == longer


def test_two_processes_end_with_the_parameters_of_one(uninterrupted, painted_dir, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    processes = [
        subprocess.Popen(
            command(
                painted_dir,
                tmp_path / "run",
                f"--coordinator_address={address}",
                "--process_count=2",
                f"--process_id={index}",
            ),
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    expected, actual = final_state(uninterrupted), final_state(tmp_path / "run")
    for name, array in expected.items():
        if name.startswith(("/params", "/ema_params")):
            np.testing.assert_allclose(actual[name], array, atol=2e-4, err_msg=name)
    rows = [
        [json.loads(line)["rows"] for line in path.read_text().splitlines()]
        for path in sorted((tmp_path / "run").glob("examples-*.jsonl"))
    ]
    both = [first + second for first, second in zip(*rows, strict=True)]
    assert both == [line["rows"] for line in seen_examples(uninterrupted)]
