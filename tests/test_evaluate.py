"""The verb, from the command line; what it measures is tested in tests/evaluation.

The notebook runs it on a training run, and with networks that are named: see tests/launch.
"""

import json

import pytest

from tests import tiny
from tests.data.artwork.exported import write
from tests.evaluation.recordings import process, write_movie, write_pictures
from tests.verbs import Verb


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory):
    return Verb("evaluate", tmp_path_factory.mktemp("evaluate"))


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
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["backbones"] == {"distance": "LPIPS (HED-VGG)", "features": "HED-VGG"}
    assert metrics["proxies"] == ["distance", "features"]
    assert metrics["methods"]["generated"]["to_band"]["n"] == 1
    # Nothing is left of what was kept meanwhile.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generated", "out", "recorded"]


def test_a_published_protocol_is_followed_and_its_layout_written(evaluate, tmp_path):
    frames_THWC = process(0, frames=4)
    write(tmp_path / "data" / "test" / "channel" / "a", frames_THWC)
    write(tmp_path / "made" / "test" / "channel" / "a", frames_THWC, reference=False)
    done = evaluate(
        f"--generated=theirs:{tmp_path / 'made'}",
        f"--recorded={tmp_path / 'data'}",
        "--protocol=loomis_painter",
        f"--export={tmp_path / 'export'}",
        f"--output={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    assert "export: 1 videos" in done.stdout
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["settings"]["protocol"] == "loomis_painter"
    assert metrics["settings"]["size"] == 512
    assert metrics["methods"]["theirs"]["pdp"]["n"] == 1
    exported = tmp_path / "export" / "theirs" / "test" / "channel" / "a"
    assert {path.name for path in exported.iterdir()} == {"frame_data.pkl", "frame_progress.pkl"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--generated=nowhere", "--unpaired"], "nowhere does not exist"),
        (["--generated=.", "--steps=3"], "--steps goes with --workdir"),
        (["--generated=.", "--export=new", "--recorded=."], "--export goes with --protocol"),
        (["--generated=.", "--unpaired", "--protocol=loomis_painter"], "leave out --unpaired"),
    ],
)
def test_wrong_arguments_are_one_line_and_leave_nothing(evaluate, args, said, tmp_path):
    tiny.assert_one_line(evaluate(*args, f"--output={tmp_path / 'out'}"), said)
    assert not list(tmp_path.iterdir())
