"""The verb, from the command line; what it measures is tested in tests/evaluation."""

import json
import pathlib

import pytest

from tests import tiny, tiny_run
from tests.evaluation import tiny_networks
from tests.evaluation.recordings import process, write_movie, write_pictures
from tests.synthetic import build_painted, write_photos
from tests.verbs import Verb


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory):
    with Verb("evaluate", tmp_path_factory.mktemp("evaluate")) as verb:
        yield verb


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> str:
    """The flag that names one network of each kind of similarity, as they are published."""
    root = tmp_path_factory.mktemp("weights")
    alexnet = tiny_networks.write_alexnet(root / "alexnet.safetensors")
    clip = tiny_networks.write_clip(root / "clip")
    dino = tiny_networks.write_dino(root / "dino", registers=4)
    return f"--backbones=lpips=alex:{alexnet},clip={clip},dino={dino}"


LABELS = {
    "distance": "LPIPS (AlexNet)",
    "clip": tiny_networks.CLIP,
    "dino": tiny_networks.DINO,
    "features": "AlexNet",
}


def _metrics(report: pathlib.Path) -> dict:
    return json.loads((report / "metrics.json").read_text())


def test_videos_become_a_report_and_damaged_ones_are_named(evaluate, tmp_path):
    write_pictures(tmp_path / "recorded" / "cat", process(0, frames=4))
    write_movie(tmp_path / "generated" / "cat.mp4", process(0, frames=5))
    (tmp_path / "generated" / "dog.mp4").write_text("this is no video")
    done = evaluate(
        f"--generated={tmp_path / 'generated'}",
        f"--recorded={tmp_path / 'recorded'}",
        "--unpaired",
        f"--output={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    assert "dog.mp4" in done.stdout
    assert str(tmp_path / "out" / "index.html") in done.stdout
    metrics = _metrics(tmp_path / "out")
    assert metrics["backbones"] == {"distance": "LPIPS (HED-VGG)", "features": "HED-VGG"}
    assert metrics["stand_ins"] == ["distance", "features"]
    assert metrics["methods"]["generated"]["to_band"]["n"] == 1
    # Nothing is left of what was kept meanwhile.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generated", "out", "recorded"]


def test_named_networks_measure_under_the_names_of_their_weights(evaluate, named, tmp_path):
    for seed, name in enumerate(("cat", "dog")):
        write_pictures(tmp_path / "recorded" / name, process(seed, frames=3))
        write_pictures(tmp_path / "generated" / name, process(2 * seed, frames=3))
    done = evaluate(
        f"--generated={tmp_path / 'generated'}",
        f"--recorded={tmp_path / 'recorded'}",
        named,
        f"--output={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    metrics = _metrics(tmp_path / "out")
    assert metrics["backbones"] == LABELS
    assert metrics["stand_ins"] == ["features"]
    numbers = {row["name"]: row for row in metrics["videos"] if row["method"] == "generated"}
    for kind in ("clip", "dino"):
        assert LABELS[kind] in metrics["measures"][f"final_{kind}"]["label"]
        # The cat is a copy, the dog another picture.
        assert numbers["cat"][f"final_{kind}"] == pytest.approx(1, abs=1e-5)
        assert numbers["cat"][f"pdp_{kind}"] == pytest.approx(0, abs=1e-5)
        assert numbers["dog"][f"final_{kind}"] < 1 - 1e-5
    header, _, row = _paper_table(tmp_path / "out")
    assert header[3:6] == [f"{LABELS['distance']} ↓"] + [
        f"{LABELS[kind]} ↑" for kind in ("clip", "dino")
    ]
    assert "\N{EN DASH}" not in row


def _paper_table(report: pathlib.Path) -> list[list[str]]:
    """The cells of the first table: header, line, the row of the generated ones."""
    lines = (report / "table.md").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("| Method"))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[first : first + 3]]


def test_a_run_is_measured_by_clip_and_dino_across_media(evaluate, named, tmp_path):
    write_photos(tmp_path / "photos", 4)
    build_painted(tmp_path / "data", tmp_path / "photos", frames=4)
    tiny_run.write(tmp_path / "run", tmp_path / "data", captions=["oil painting", "a cat"])
    done = evaluate(f"--workdir={tmp_path / 'run'}", named, f"--output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    metrics = _metrics(tmp_path / "out")
    assert metrics["backbones"] == LABELS
    # One picture of the test split, in two media.
    for measure in ("pdp", "pdp_clip", "pdp_dino", "final_clip", "final_dino"):
        assert metrics["methods"]["generated"][measure]["n"] == 2
    across = metrics["across"]["generated"]
    assert {key: across[key]["n"] for key in ("structure", "named")} == {"structure": 1, "named": 2}
    # Of the photos that were painted in colour.
    assert across["gained"]["n"] == 1
    assert metrics["across"]["recorded"]["structure"]["mean"] > 0
    assert len(list((tmp_path / "out" / "videos").glob("*.mp4"))) == 2
    assert set(metrics["conditions"]) <= {"medium", "segments", "text", "reference"}
    assert (tmp_path / "out" / "index.html").stat().st_size > 10_000
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--generated=nowhere", "--unpaired"], "nowhere does not exist"),
        (["--generated=.", "--steps=3"], "--steps goes with --workdir"),
    ],
)
def test_wrong_arguments_are_one_line_and_leave_nothing(evaluate, args, said, tmp_path):
    tiny.assert_one_line(evaluate(*args, f"--output={tmp_path / 'out'}"), said)
    assert not list(tmp_path.iterdir())
