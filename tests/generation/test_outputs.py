"""What generate leaves for a picture."""

import json

import numpy as np
import pytest
from PIL import Image

from painting_jax.data import pictures, video
from painting_jax.generation import outputs
from tests.synthetic import recording


@pytest.fixture
def written(tmp_path):
    frames = recording(count=5, height=30, width=41)
    parameters = {"medium": {"oil": 1.0}, "seed": 3}
    folder = outputs.write(
        tmp_path / "cat-oil", frames, title="cat, oil", model="tiny", parameters=parameters
    )
    return folder, frames


def test_everything_is_there(written):
    folder, frames = written
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["contact_sheet.png", "process.json", "process.mp4", "process.webp", "steps"]
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(pictures.load(folder / "steps" / f"{index:02}.png"), frame)


def test_small_frames_are_enlarged_for_players_in_their_proportions(written):
    folder, frames = written
    shown, _ = video.read(folder / "process.mp4")
    assert shown.shape[0] == len(frames)
    assert max(shown.shape[1:3]) >= 384
    assert abs(shown.shape[2] / shown.shape[1] - 41 / 30) < 0.02


def test_every_file_says_that_it_is_generated_and_by_what(written):
    folder, _ = written
    tags = video.read_metadata(folder / "process.mp4")
    assert "Generated" in tags["description"]
    assert json.loads(tags["comment"])["model"] == "tiny"
    packets = [video.read_metadata(folder / "process.webp")["xmp"]]
    for path in (folder / "contact_sheet.png", folder / "steps" / "00.png"):
        with Image.open(path) as image:
            packets.append(image.info["XML:com.adobe.xmp"])
    assert all("trainedAlgorithmicMedia" in packet and "tiny" in packet for packet in packets)
    record = json.loads((folder / "process.json").read_text())
    assert record["generated"] is True
    assert record["seed"] == 3
    assert record["progress"] == [0, 0.25, 0.5, 0.75, 1]


def test_a_failure_leaves_the_older_result_and_nothing_else(written, monkeypatch):
    folder, frames = written
    before = (folder / "process.json").read_text()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs.video, "write_webp", full)
    with pytest.raises(OSError, match="No space"):
        outputs.write(folder, frames, title="t", model="m", parameters={})
    assert (folder / "process.json").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == ["cat-oil"]


@pytest.mark.parametrize("calls", [0, 3, 7])
def test_writing_that_is_ended_leaves_the_older_result_and_nothing_else(written, calls):
    folder, frames = written
    before = (folder / "process.json").read_text()
    left = iter(range(calls))

    def end():
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outputs.write(folder, frames, title="t", model="m", parameters={}, on_file=end)
    assert (folder / "process.json").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == ["cat-oil"]


def test_the_tutorial_shows_the_frames_with_their_mark(tmp_path):
    given = []

    def tutorial(frames_THWC):
        given.append(frames_THWC)
        return {"tutorial.html": b"steps"}

    frames_THWC = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), np.uint8)
    folder = outputs.write(
        tmp_path / "a", frames_THWC, title="", model="m", parameters={}, tutorial=tutorial
    )
    assert (folder / "tutorial.html").read_bytes() == b"steps"
    np.testing.assert_array_equal(pictures.load(folder / "steps" / "01.png"), given[0][1])
    assert (given[0] != frames_THWC).any()
