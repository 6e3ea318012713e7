"""The verb, from the command line; what it measures is tested in tests/evaluation."""

import json
import subprocess
import sys

import pytest

from tests.evaluation.recordings import process, write_movie, write_pictures


def _evaluate(*args: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "painting_jax.evaluate", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_videos_become_a_report_and_damaged_ones_are_named(tmp_path):
    write_pictures(tmp_path / "recorded" / "cat", process(0, frames=4))
    write_movie(tmp_path / "generated" / "cat.mp4", process(0, frames=5))
    (tmp_path / "generated" / "dog.mp4").write_text("this is no video")
    done = _evaluate(
        f"--generated={tmp_path / 'generated'}",
        f"--recorded={tmp_path / 'recorded'}",
        "--unpaired",
        f"--output={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    assert "dog.mp4" in done.stdout
    assert str(tmp_path / "out" / "index.html") in done.stdout
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["backbones"] == {"distance": "LPIPS (HED-VGG)", "features": "HED-VGG"}
    assert metrics["methods"]["generated"]["to_band"]["n"] == 1
    # Nothing is left of what was kept meanwhile.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generated", "out", "recorded"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--generated=nowhere", "--unpaired"], "nowhere does not exist"),
        (["--generated=.", "--steps=3"], "--steps goes with --workdir"),
    ],
)
def test_wrong_arguments_are_one_line_and_leave_nothing(args, said, tmp_path):
    done = _evaluate(*args, f"--output={tmp_path / 'out'}")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert said in line
    assert not list(tmp_path.iterdir())
