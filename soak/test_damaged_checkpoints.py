"""Damaged checkpoints and full disks give one-line errors, even on a busy machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import conftest, tiny  # noqa: F401  (conftest: eight devices)
from tests.training import test_checkpoint
from tests.training.test_checkpoint import mesh, run, task, two  # noqa: F401
from tests.verbs import Verb

_TIMES = 50


@pytest.fixture(scope="module", autouse=True)
def busy() -> Iterator[None]:
    """Keeps every core busy with other processes."""
    busy = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(busy) for _ in range(os.cpu_count())]
    yield
    for process in processes:
        process.kill()
        process.wait()


def test_training_from_a_damaged_checkpoint(run, tmp_path):  # noqa: F811
    shutil.copytree(run, tmp_path / "damaged")
    test_checkpoint.cut(tmp_path / "damaged" / "checkpoints" / "0" / "state" / "manifest.ocdbt")
    arguments = (
        f"--config={tiny.ROOT / 'configs' / 'demo.py'}",
        f"--data_dir={run.parent / 'data'}",
        f"--workdir={tmp_path / 'run'}",
        *tiny.FLAGS,
        f"--config.init_from={tmp_path / 'damaged'}",
    )
    (tmp_path / "said").mkdir()
    train = Verb("train", tmp_path / "said")
    for _ in range(_TIMES):
        train.refuses(*arguments, said="damaged/checkpoints/0 is damaged")


@pytest.mark.parametrize("time", range(_TIMES))
@pytest.mark.parametrize("files", ["state/manifest.ocdbt", "state/ocdbt.process_0/d/*"])
def test_restoring_a_damaged_checkpoint(run, task, mesh, tmp_path, capfd, files, time):  # noqa: F811
    test_checkpoint.test_a_damaged_file_is_one_error(
        run, task, mesh, tmp_path, capfd, files, test_checkpoint.cut
    )


@pytest.mark.parametrize("time", range(_TIMES))
def test_saving_on_a_disk_that_fills_up(run, task, mesh, tmp_path, capfd, monkeypatch, time):  # noqa: F811
    test_checkpoint.test_a_disk_that_fills_up_while_saving_is_one_error(
        run, task, mesh, tmp_path, capfd, monkeypatch
    )


def test_flipped_bits(run, two, task, mesh, tmp_path, capfd):  # noqa: F811
    test_checkpoint.check_bit_flips(run, two, task, mesh, tmp_path, capfd, range(1000, 1500))
