"""Ctrl-C at a random moment of a training ends it with a one-word message."""

import random
import signal
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
