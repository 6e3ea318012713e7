"""The verb strokes: the SVG it writes of a picture, and what it refuses."""

import numpy as np
import pytest

from painting_jax.data import pictures
from painting_jax.data.artwork.svg import open_svg
from painting_jax.instruction.layers import strokes_svg
from tests.synthetic import scene
from tests.verbs import Verb


@pytest.fixture(scope="module")
def strokes(tmp_path_factory):
    return Verb("strokes", tmp_path_factory.mktemp("strokes"))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a & b.png"
    path.write_bytes(pictures.encode(scene(1, 60, 90), "png"))
    return path


def test_strokes_are_written_and_counted(strokes, picture, tmp_path):
    path = tmp_path / "new" / "strokes.svg"
    done = strokes(f"--image={picture}", f"--output={path}", "--size=64", "--medium=pencil")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{len(open_svg(path)) - 2} strokes of pencil at 64x43, ")
    assert done.stdout.endswith(f": {path}\n")
    assert "<title>a &amp; b, pencil</title>" in path.read_text()


def test_bars_are_left_out_and_it_is_said(strokes, tmp_path):
    barred_HWC = np.zeros((104, 80, 3), np.uint8)
    barred_HWC[20:84] = scene(4, 64, 80)
    (tmp_path / "a.png").write_bytes(pictures.encode(barred_HWC, "png"))
    done = strokes(f"--image={tmp_path / 'a.png'}", f"--output={tmp_path / 'a.svg'}")
    assert "strokes of oil at 80x64, " in done.stdout
    assert "bars are left out" in done.stdout


def test_mistakes_are_one_line_and_leave_nothing(strokes, picture, tmp_path):
    image, output = f"--image={picture}", f"--output={tmp_path / 'a.svg'}"
    strokes.refuses(output, said="--image is missing")
    strokes.refuses(image, said="--output is missing")
    strokes.refuses(image, "--output=", said="--output= is empty")
    strokes.refuses(image, f"--output={tmp_path / 'a.png'}", said="it must end in .svg")
    strokes.refuses(image, "--output=gs://b/a.svg", said="--output")
    strokes.refuses(image, output, "--medium=crayon", said="crayon")
    strokes.refuses(image, output, "--size=8", said="it must be from 32 to 1024")
    strokes.refuses(image, output, "--seed=-1", said="it must be from 0")
    strokes.refuses(f"--image={tmp_path / 'none.png'}", output, said="does not exist")
    strokes.refuses(f"--image={tmp_path}", output, said="is a folder")
    strokes.refuses(image, output, said="File too large", file_limit=2000)
    assert list(tmp_path.iterdir()) == [picture]


def test_a_picture_of_too_many_strokes_is_painted_smaller(strokes, tmp_path):
    noise_HWC = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    picture_HWC = pictures.resize(noise_HWC, 256, 256)
    (tmp_path / "a.png").write_bytes(pictures.encode(picture_HWC, "png"))
    path = tmp_path / "a.svg"
    done = strokes(f"--image={tmp_path / 'a.png'}", f"--output={path}", "--medium=pencil")
    assert done.returncode == 0
    assert "256x256" not in done.stdout
    assert len(open_svg(path)) <= strokes_svg.MOST_STROKES + 2


def test_help_says_what_the_svg_leaves_out(strokes):
    said = strokes("--help").stdout
    assert "The SVG leaves out what varies within a stroke" in said
    assert "--medium" in said
