"""What is said of a file, by its mark and its metadata."""

import json

import numpy as np
import pytest
from PIL import Image

from painting_jax.data import pictures, video
from painting_jax.errors import UserError
from painting_jax.generation import outputs
from painting_jax.provenance.payload import model_id
from painting_jax.provenance.verification import verify
from tests.synthetic import recording

_ID = model_id("tiny")


def _write(folder, *, side: int = 64, **settings):
    parameters = {"medium": {"oil": 0.7, "pencil": 0.3}}
    frames_THWC = recording(count=4, height=side, width=side)
    return outputs.write(
        folder, frames_THWC, title="a <cat>", model="tiny", parameters=parameters, **settings
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("made") / "cat-oil")


@pytest.fixture(scope="module")
def unmarked(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("unmarked") / "cat-oil", with_mark=False)


def _day(folder) -> str:
    return json.loads((folder / "process.json").read_text())["made_on"]


@pytest.mark.parametrize("name", ["process.mp4", "process.webp"])
def test_mark_and_metadata_say_when_and_with_what(made, name):
    day = _day(made)
    assert verify(made / name) == (
        f"made by painting_jax on {day}, model {_ID}, oil and others; metadata: "
        f"made by painting_jax on {day}, model tiny ({_ID}), oil:0.7,pencil:0.3"
    )


def test_the_mark_is_there_when_the_metadata_are_not(made, tmp_path):
    frames_THWC, _ = video.read(made / "process.mp4")
    video.write_mp4(tmp_path / "copy.mp4", frames_THWC, fps=4)
    said = verify(tmp_path / "copy.mp4")
    assert said.startswith(f"made by painting_jax on {_day(made)}, model {_ID}, oil and others;")
    assert said.endswith("; no metadata of painting_jax")


@pytest.mark.parametrize("name", ["process.mp4", "process.webp"])
def test_leaving_the_mark_out_is_said_in_the_metadata(unmarked, name):
    said = verify(unmarked / name)
    assert said.startswith("no mark found; metadata: made by painting_jax on ")
    assert said.endswith(", without a mark")
    assert json.loads((unmarked / "process.json").read_text())["mark"] is False


def test_what_is_too_small_is_said_in_the_record(made, tmp_path):
    assert json.loads((made / "process.json").read_text())["mark"]["too_small"] == ["steps"]
    large = _write(tmp_path / "large", side=256)
    assert json.loads((large / "process.json").read_text())["mark"]["too_small"] == []
    assert verify(large / "steps" / "00.png").startswith("made by painting_jax on ")


def test_foreign_files_carry_nothing(tmp_path):
    Image.fromarray(recording(1, count=1)[0]).save(tmp_path / "a.jpg")
    video.write_mp4(tmp_path / "a.mp4", recording(), fps=4)
    for name in ("a.jpg", "a.mp4"):
        assert verify(tmp_path / name) == "no mark found; no metadata of painting_jax"


def test_another_model_in_the_metadata_is_noticed(tmp_path):
    made = _write(tmp_path / "made", side=256)
    with Image.open(made / "steps" / "00.png") as image:
        frame_HWC = np.asarray(image)
        packet = image.info["XML:com.adobe.xmp"].replace("tiny", "tall").encode()
    (tmp_path / "forged.png").write_bytes(pictures.encode(frame_HWC, "png", packet))
    assert verify(tmp_path / "forged.png").endswith("mark and metadata name different models")


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "{",
        "[1]",
        '{"model": 7, "medium": [2], "made_on": {}}',
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_damaged_metadata_state_what_they_can(tmp_path, comment):
    told = {"description": "Generated painting process, not a recording. Model: x."}
    video.write_mp4(tmp_path / "a.mp4", recording(), 4, told | {"comment": comment})
    said = verify(tmp_path / "a.mp4")
    assert said == "no mark found; metadata: made by painting_jax, model unknown"


def test_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder: name pictures or videos in it"):
        verify(tmp_path)
