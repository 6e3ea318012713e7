"""Signals at a random moment of a training end it with a one-word message."""

import random
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests import tiny


@pytest.mark.parametrize("seed", range(5))
def test_ctrl_c_at_any_moment_is_one_word(seed, tmp_path):
    tiny.prepare(tmp_path / "data")
    rng = random.Random(seed)
    arguments = (
        f"--config={tiny.ROOT / 'configs' / 'demo.py'}",
        f"--data_dir={tmp_path / 'data'}",
        f"--workdir={tmp_path / 'run'}",
        *tiny.FLAGS,
        "--config.steps=1000000",
        "--config.checkpoint.every=7",
        "--config.log.samples_every=11",
    )
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-m", "painting_jax.train", *arguments],
            env=tiny.environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # It first compiles. After some seconds it trains, saves and paints samples.
        started = process.stdout.readline()
        time.sleep(rng.uniform(0, 10))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 130, started + errors
        assert errors.splitlines()[-1] == "interrupted"
        assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_to_one_process_stops_all_after_the_same_step(number, status, word, tmp_path):
    tiny.prepare(tmp_path / "data")
    run = tmp_path / "run"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    arguments = (
        f"--data_dir={tmp_path / 'data'}",
        f"--workdir={run}",
        *tiny.FLAGS,
        "--config.steps=1000000",
    )
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "painting_jax.train", *arguments),
                f"--coordinator_address={address}",
                "--process_count=2",
                f"--process_id={index}",
            ],
            env=tiny.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    logs = [run / f"examples-{index}.jsonl" for index in range(2)]
    until = time.monotonic() + 300
    while not (logs[0].exists() and logs[0].read_bytes().count(b"\n") > 3):
        assert time.monotonic() < until
        time.sleep(0.05)
    processes[1].send_signal(number)
    outputs = [process.communicate(timeout=120) for process in processes]
    # The other one learns that the training stops, not by which signal.
    assert [process.returncode for process in processes] == [143, status], outputs
    assert outputs[1][1].splitlines()[-1] == word
    [saved] = (path.name for path in (run / "checkpoints").iterdir())
    assert [log.read_bytes().count(b"\n") for log in logs] == [int(saved)] * 2
