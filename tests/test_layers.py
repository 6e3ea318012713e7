"""The verb layers: the file it writes of a process that generate wrote, and what it refuses."""

import itertools
import json
import os
import shutil
import stat

import numpy as np
import pytest

from painting_jax.data import pictures
from painting_jax.generation import outputs
from painting_jax.instruction import steps
from painting_jax.instruction.changes import Changes
from tests.instruction.layers.readers import composed_ora, composed_psd, psnr
from tests.synthetic import recording
from tests.verbs import Verb


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    return Verb("layers", tmp_path_factory.mktemp("layers"))


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "out" / "cat-oil"
    frames_THWC = recording(count=12)
    return outputs.write(folder, frames_THWC, title="cat", model="tiny", parameters={})


@pytest.fixture
def broken(process, tmp_path):
    """A copy, for a test to spoil."""
    return shutil.copytree(process, tmp_path / "broken")


@pytest.mark.parametrize("kind", ["ora", "psd"])
def test_the_layers_make_the_finished_picture(layers, process, tmp_path, kind):
    path = tmp_path / "new" / f"cat.{kind}"
    done = layers(f"--process={process}", f"--output={path}", "--steps=5")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"5 layers of 64x48: {path}\n"
    found_HWC = composed_ora(path)[-1] if kind == "ora" else composed_psd(path)
    assert psnr(found_HWC, pictures.load(process / "steps" / "11.png")) > 45
    assert os.listdir(path.parent) == [path.name]


def test_layers_are_the_steps_of_the_tutorial_by_default(layers, process, tmp_path):
    done = layers(f"--process={process}", f"--output={tmp_path / 'a.ora'}")
    frames_THWC = np.stack([pictures.load(process / "steps" / f"{i:02}.png") for i in range(12)])
    assert done.stdout.startswith(f"{1 + len(steps.cut(Changes.of(frames_THWC)))} layers of")


def test_steps_share_what_is_painted(layers, process, tmp_path):
    layers(f"--process={process}", f"--output={tmp_path / 'a.ORA'}", "--steps=4")
    states = composed_ora(tmp_path / "a.ORA").astype(int)
    share = [np.abs(after - before).mean() for before, after in itertools.pairwise(states)]
    assert max(share) < 2 * min(share)


def test_a_process_of_fewer_frames_has_fewer_layers(layers, process, tmp_path):
    done = layers(f"--process={process}", f"--output={tmp_path / 'a.psd'}", "--steps=100")
    assert done.stdout.startswith("12 layers of 64x48: ")


def test_a_process_in_which_nothing_happens_is_written(layers, tmp_path):
    still = np.full((4, 16, 16, 3), 200, np.uint8)
    outputs.write(tmp_path / "still", still, title="", model="tiny", parameters={})
    done = layers(f"--process={tmp_path / 'still'}", f"--output={tmp_path / 'a.ora'}", "--steps=3")
    assert done.stdout.startswith("3 layers of 16x16: ")


def test_mistakes_in_the_command_are_one_line(layers, process, tmp_path):
    output = f"--output={tmp_path / 'a.ora'}"
    layers.refuses(output, said="--process is missing")
    layers.refuses(f"--process={process}", said="--output is missing")
    layers.refuses(output, "--process=", said="--process= is empty")
    layers.refuses(f"--process={process}", f"--output={tmp_path / 'a.png'}", said="end in .ora or")
    layers.refuses(f"--process={process}", "--output=gs://b/a.ora", said="--output")
    layers.refuses(f"--process={process}", output, "--steps=1", said="it must be from 2 to 100")
    layers.refuses(f"--process={tmp_path}", output, said="it has no process")
    layers.refuses(f"--process={process.parent}", output, said=f"such as {process}")
    layers.refuses(f"--process={process / 'process.mp4'}", output, said="is no process")
    (tmp_path / "b.ora").mkdir()
    layers.refuses(f"--process={process}", f"--output={tmp_path / 'b.ora'}", said="is a folder")
    assert [path.name for path in tmp_path.iterdir()] == ["b.ora"]


def _spoil(folder, what):
    last, record = folder / "steps" / "11.png", folder / "process.json"
    stated = json.loads(record.read_text())
    if what == "missing":
        last.unlink()
    elif what == "cut":
        last.write_bytes(last.read_bytes()[:-60])
    elif what == "size":
        last.write_bytes(pictures.encode(np.zeros((48, 48, 3), np.uint8), "png"))
    elif what == "pipe":
        last.unlink()
        os.mkfifo(last)
    elif what == "json":
        record.write_text('{"progress": [')
    elif what == "text":
        record.write_text(json.dumps(stated | {"progress": ["a"] * 12}))
    elif what == "range":
        record.write_text(json.dumps(stated | {"progress": [7] * 12}))
    else:
        record.write_text("[]")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", "holds 11 pictures of 12 steps"),
        ("cut", "cut short"),
        ("size", "several sizes"),
        ("pipe", "is a pipe"),
        ("json", "process.json is damaged"),
        ("text", "process.json is damaged"),
        ("range", "a progress beyond 0 to 1"),
        ("list", "process.json is damaged"),
    ],
)
def test_a_damaged_process_is_one_line_and_leaves_nothing(layers, broken, tmp_path, what, said):
    _spoil(broken, what)
    layers.refuses(f"--process={broken}", f"--output={tmp_path / 'out' / 'a.ora'}", said=said)
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_one_line(layers, process, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    layers.refuses(f"--process={process}", f"--output={tmp_path / 'a.ora'}", said="write-protected")


def test_a_full_disk_is_one_line_and_keeps_the_older_file(layers, process, tmp_path):
    (tmp_path / "a.ora").write_bytes(b"older")
    layers.refuses(
        *(f"--process={process}", f"--output={tmp_path / 'a.ora'}"),
        said="File too large",
        file_limit=2000,
    )
    assert (tmp_path / "a.ora").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["a.ora"]


def test_help_says_what_the_layers_are(layers):
    said = layers("--help").stdout
    assert "python -m painting_jax.layers --process=out/cat-oil --output=cat.ora" in said
    assert (
        "--steps: Number of layers, the first frame included [default: the tutorial's steps]."
        in said
    )
