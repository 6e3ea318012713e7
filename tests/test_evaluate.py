"""The verb, from the command line; what it measures is tested in tests/evaluation."""

import json
import pathlib
import subprocess
import sys

import pytest

from tests import tiny
from tests.evaluation import tiny_networks
from tests.evaluation.recordings import process, write_movie, write_pictures


def _evaluate(*args: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "painting_jax.evaluate", *args]
    return subprocess.run(
        command,
        env=tiny.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


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


def test_named_networks_measure_under_the_names_of_their_weights(tmp_path):
    clip = tiny_networks.write_clip(tmp_path / "weights" / "clip")
    dino = tiny_networks.write_dino(tmp_path / "weights" / "dino")
    for seed, name in enumerate(("cat", "dog")):
        write_pictures(tmp_path / "recorded" / name, process(seed, frames=3))
        write_pictures(tmp_path / "generated" / name, process(2 * seed, frames=3))
    done = _evaluate(
        f"--generated={tmp_path / 'generated'}",
        f"--recorded={tmp_path / 'recorded'}",
        f"--backbones=clip={clip},dino={dino}",
        f"--output={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    labels = {"clip": tiny_networks.CLIP, "dino": tiny_networks.DINO}
    assert metrics["backbones"] == {
        "distance": "LPIPS (HED-VGG)",
        "features": "HED-VGG",
        **labels,
    }
    numbers = {row["name"]: row for row in metrics["videos"] if row["method"] == "generated"}
    for kind, label in labels.items():
        assert label in metrics["measures"][f"final_{kind}"]["label"]
        # The cat is a copy, the dog another picture.
        assert numbers["cat"][f"final_{kind}"] == pytest.approx(1, abs=1e-5)
        assert numbers["cat"][f"pdp_{kind}"] == pytest.approx(0, abs=1e-5)
        assert numbers["dog"][f"final_{kind}"] < 1 - 1e-5
    header, _, row = _paper_table(tmp_path / "out")
    assert header[4:6] == [f"{label} ↑" for label in labels.values()]
    assert "\N{EN DASH}" not in row


def _paper_table(report: pathlib.Path) -> list[list[str]]:
    """The cells of the first table: header, line, the row of the generated ones."""
    lines = (report / "table.md").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("| Method"))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[first : first + 3]]


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
