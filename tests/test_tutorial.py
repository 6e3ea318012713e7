"""The verb tutorial: what it writes of a process, and what it refuses."""

import json
import shutil

import numpy as np
import pytest

from painting_jax.data import label_maps, pictures, video
from painting_jax.generation import outputs
from tests.synthetic import recording
from tests.verbs import Verb

FILES = {"tutorial.html", "outline.pdf", "outline.svg"}


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    return Verb("tutorial", tmp_path_factory.mktemp("tutorial"))


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cat-oil"
    parameters = {"medium": {"oil": 1.0}, "picture": "cat.jpg"}
    return outputs.write(
        folder, recording(count=12), title="cat", model="tiny", parameters=parameters
    )


def test_a_generated_process_gets_its_tutorial_beside_it(tutorial, process, tmp_path):
    folder = shutil.copytree(process, tmp_path / "cat-oil")
    done = tutorial(f"--process={folder}", "--language=de")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{folder / 'tutorial.html'}\n"
    assert {path.name for path in folder.iterdir()} >= FILES
    page = (folder / "tutorial.html").read_text("utf-8")
    assert "<title>cat in Öl</title>" in page
    assert "(tiny)" in page


def test_its_regions_are_those_that_generate_was_given_or_that_are_named(
    tutorial, process, tmp_path
):
    folder = shutil.copytree(process, tmp_path / "cat-oil")
    height, width = recording(count=1).shape[1:3]
    own = np.repeat(label_maps.picture_of(np.uint8([[1, 2]])), [width // 2, width - width // 2], 1)
    own = own.repeat(height, 0)
    (tmp_path / "own.png").write_bytes(pictures.encode(own, "png"))

    def outline(*options: str) -> bytes:
        done = tutorial(f"--process={folder}", *options)
        assert (done.returncode, done.stderr) == (0, "")
        return (folder / "outline.svg").read_bytes()

    found, named = outline(), outline(f"--segments={tmp_path / 'own.png'}")
    assert found != named
    shutil.copy(tmp_path / "own.png", folder / "segments.png")
    assert outline() == named


def test_a_recording_gets_one_too(tutorial, tmp_path):
    video.write_mp4(tmp_path / "film.mp4", recording(count=12), 6.0)
    output = tmp_path / "made"
    done = tutorial(f"--process={tmp_path / 'film.mp4'}", "--medium=oil", f"--output={output}")
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in output.iterdir()} == FILES
    assert "This is a recording of a painter." in (output / "tutorial.html").read_text("utf-8")


def test_a_large_painting_has_several_sheets(tutorial, process, tmp_path):
    done = tutorial(
        f"--process={process}", f"--output={tmp_path}", "--width_mm=400", "--numbers", "--cells=4"
    )
    assert done.returncode == 0
    assert len(list(tmp_path.glob("outline-*.svg"))) >= 4


def test_a_narrow_panorama_has_a_tutorial(tutorial, tmp_path):
    frames_THWC = recording(count=4)[:, :8].repeat(4, axis=2)
    folder = outputs.write(tmp_path / "wide", frames_THWC, title="", model="tiny", parameters={})
    assert tutorial(f"--process={folder}").returncode == 0


def test_mistakes_in_the_command_are_one_line(tutorial, process, tmp_path):
    made, output = f"--process={process}", f"--output={tmp_path / 'out'}"
    tutorial.refuses(output, said="--process is missing")
    tutorial.refuses(f"--process={process / 'steps'}", said="--output is missing: name a folder")
    tutorial.refuses("--process=nowhere", output, said="nowhere does not exist")
    tutorial.refuses(made, output, "--paper=B7", said="paper is one of A5, A4, A3, Letter")
    tutorial.refuses(made, output, "--paints=mud", said="--paints=mud is no file and no built-in")
    tutorial.refuses(made, output, "--medium=mud", said="mud")
    tutorial.refuses(made, output, "--width_mm=1", said="its sides must be 20 to 5000 mm")
    tutorial.refuses(made, output, "--segments=none.png", said="none.png")
    tutorial.refuses(made, output, "--cells=101", said="--cells=101")
    tutorial.refuses(made, output, "--language=fr", said="--language")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_several_processes_is_refused(tutorial, process, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for i, frame_HWC in enumerate(recording(count=3)):
            path = tmp_path / "in" / name / f"{i}.png"
            path.write_bytes(pictures.encode(frame_HWC, "png"))
    tutorial.refuses(
        f"--process={tmp_path / 'in'}", f"--output={tmp_path / 'out'}", said="must be one process"
    )


def test_a_hostile_record_is_no_danger(tutorial, process, tmp_path):
    folder = shutil.copytree(process, tmp_path / "bad")
    record = json.loads((folder / "process.json").read_text())
    record |= {"picture": "<script>alert(1)</script>.png", "model": {"a": 1}}
    for medium in (["x"], {"oil": "much", "<script>alert(1)</script>": 0.5, "pencil": None}):
        (folder / "process.json").write_text(json.dumps(record | {"medium": medium}))
        done = tutorial(f"--process={folder}")
        assert done.returncode == 0
        page = (folder / "tutorial.html").read_text("utf-8")
        assert "<script>alert" not in page
        np.testing.assert_equal(page.count("<script"), 2)
