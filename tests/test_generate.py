"""The verb with a run: what it paints of a folder, and what it leaves."""

import functools
import json
import os
import pathlib
import shutil
import textwrap

import jax
import numpy as np
import pytest

from painting_jax.data import pictures, video
from painting_jax.data.subjects import Subject
from painting_jax.generation import from_run
from painting_jax.generation.devices import Devices
from painting_jax.generation.from_run import RunPainter
from painting_jax.generation.job import Job, Painted
from painting_jax.generation.magnitudes_file import MagnitudesFile
from painting_jax.generation.run import Run
from painting_jax.sharding.mesh import make_mesh
from tests import tiny, tiny_run
from tests.programs import Programs
from tests.synthetic import scene
from tests.verbs import Verb


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> pathlib.Path:
    """A run with a checkpoint of random parameters."""
    root = tmp_path_factory.mktemp("files")
    tiny.prepare(root / "data")
    tiny_run.write(root / "run", root / "data", captions=["a cat"])
    return root / "run"


@pytest.fixture(scope="module")
def generate(tmp_path_factory) -> Verb:
    return Verb("generate", tmp_path_factory.mktemp("generate"))


def test_a_folder_is_painted_as_often_as_one_likes(run, generate, tmp_path):
    """Whatever its pictures' names, without its own results and what cannot be read."""
    (tmp_path / "broken.jpg").write_text("no picture")
    for name in (b"cat.png", b"bad\xff.png", b"i" * 240 + b".png"):
        (tmp_path / os.fsdecode(name)).write_bytes(pictures.encode(scene(0), "png"))
    output = tmp_path / "out"
    medium = "--medium=oil:0.7,pencil:0.3"
    for _ in range(2):
        done = generate(f"--workdir={run}", f"--image={tmp_path}", medium, f"--output={output}")
        assert done.returncode == 0, done.stderr
        skipped = f"skipped broken.jpg: {tmp_path}/broken.jpg is not a picture"
        # The model has learned nothing, so it may also be warned of.
        assert skipped in done.stderr
        assert done.stderr.endswith("3 painted, 1 skipped\n")
        assert sorted(done.stdout.splitlines()) == sorted(map(str, output.iterdir()))
        looks = {path.name.removesuffix("-oil70-pencil30") for path in output.iterdir()}
        assert looks == {"cat", r"bad_udcff", "i" * 240}
    record = json.loads((output / "bad_udcff-oil70-pencil30" / "process.json").read_text())
    # The file's name alone: the folders are the user's own.
    assert record["picture"] == r"bad\udcff.png"
    assert str(tmp_path) not in json.dumps(record)
    tags = video.read_metadata(output / "bad_udcff-oil70-pencil30" / "process.mp4")
    assert r"bad\udcff" in tags["title"]


def test_steps_are_skipped_once_a_run_was_measured(run, tmp_path):
    painter = RunPainter(
        loaded(run),
        steps=6,
        step_cache=1.0,
        magnitudes=MagnitudesFile(tmp_path / "step_cache.json", "tiny"),
    )
    subject = Subject("cat", "cat.png", lambda: (scene(0), None))
    # In batches of two.
    jobs = [Job(subject, "oil", tmp_path)] * 3
    # Two first steps and the last are always computed.
    for skipped in ([0, 0, 3], [3, 3, 3]):
        records = [painted.parameters for painted in painter.generate(jobs)]
        assert [record["skipped_steps"] for record in records] == skipped
        assert {record["step_cache"] for record in records} == {1.0}


@functools.cache
def loaded(run: pathlib.Path) -> Run:
    return Run.load(run, Devices(make_mesh({}, jax.devices()[:1])))


def painted(run: pathlib.Path, picture_HWC: np.ndarray, medium: str = "oil", **asked) -> Painted:
    painter = RunPainter(loaded(run), **asked)
    subject = Subject("picture", "made up", lambda: (picture_HWC, None))
    [process] = painter.generate([Job(subject, medium, pathlib.Path())])
    return process


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((40, 70), None, (40, 70)),
        ((40, 70), 35, (20, 35)),
        ((40, 70), 100, (57, 100)),
        ((110, 22), None, (96, 19)),
        # One that the tokens see whole is not made smaller than that.
        ((20, 10), None, (32, 16)),
    ],
)
def test_a_picture_is_painted_at_its_own_size_up_to_a_limit_or_at_the_one_asked_for(
    run, shape, size, expected, monkeypatch
):
    # A large painting takes long.
    monkeypatch.setattr(from_run, "OWN_SIZE", 96)
    process = painted(run, scene(0, *shape), size=size, frames=1)
    assert process.frames_THWC.shape[1:3] == expected


@pytest.mark.parametrize("size", [None, 96])
def test_bars_around_a_picture_are_not_painted(run, size):
    inner = scene(0, 48, 30)
    picture_HWC = np.pad(inner, ((0, 0), (9, 9), (0, 0)), constant_values=255)
    process = painted(run, picture_HWC, size=size)
    frames_THWC = process.frames_THWC
    height, width = (96, 96) if size else (48, 48)
    assert frames_THWC.shape[1:3] == (height, width)
    bar = width * 9 // 48
    assert (frames_THWC[:, :, : bar - 1] == 255).all()
    assert (frames_THWC[:, :, 1 - bar :] == 255).all()
    alone = painted(run, inner, size=size).frames_THWC
    assert (frames_THWC[:, :, bar:-bar] == alone).all()
    assert process.regions_HWC.shape == frames_THWC.shape[1:]


def test_a_part_of_a_process_has_all_frames_and_its_own_progress(run):
    picture_HWC = scene(0, 32, 32)
    whole, part = (painted(run, picture_HWC, part=part) for part in ((0, 1), (0.25, 0.5)))
    assert part.frames_THWC.shape == whole.frames_THWC.shape
    np.testing.assert_allclose(part.progress_T, [0.25, 0.375, 0.5])
    assert np.abs(part.frames_THWC.astype(int) - whole.frames_THWC).max() > 0


def test_a_model_that_is_ahead_is_told_less_progress(run, tmp_path):
    slowed, picture_HWC = tmp_path / "slowed", scene(0, 32, 32)
    shutil.copytree(run, slowed)
    config = json.loads((slowed / "config.json").read_text())
    config["sampling"]["pace"] = [0.1, 0.2, 0.5]
    (slowed / "config.json").write_text(json.dumps(config))
    quarter = painted(slowed, picture_HWC, part=(0, 0.25))
    tenth = painted(run, picture_HWC, part=(0, 0.1))
    np.testing.assert_array_equal(quarter.frames_THWC, tenth.frames_THWC)
    # What is recorded is the share of the time.
    np.testing.assert_allclose(quarter.progress_T, [0, 0.125, 0.25])


def test_regions_are_painted_in_the_order_that_is_asked_for(run):
    picture_HWC = np.full((64, 64, 3), 200, np.uint8)
    picture_HWC[:, 32:] = 40
    plain = painted(run, picture_HWC)
    labels = {size: painted(run, picture_HWC, order=size).frames_THWC for size in ((1,), (2,))}
    np.testing.assert_array_equal(labels[1,], plain.frames_THWC)
    assert np.abs(labels[2,].astype(int) - plain.frames_THWC).max() > 0
    assert plain.regions_HWC.shape == (64, 64, 3)


@pytest.mark.parametrize("size", [None, 96])
def test_a_process_goes_on_from_the_canvas_that_is_given(run, size):
    picture_HWC, canvas_HWC = scene(0, 48, 48), scene(1, 48, 48)
    given = painted(run, picture_HWC, canvas_HWC=canvas_HWC, part=(0.4, 1), size=size)
    first_HWC = pictures.resize(canvas_HWC, *given.frames_THWC.shape[1:3])
    np.testing.assert_array_equal(given.frames_THWC[0], first_HWC)
    assert given.parameters["goes_on_from_a_canvas"]
    assert (given.parameters["from"], given.parameters["until"]) == (0.4, 1)
    fresh = painted(run, picture_HWC, part=(0.4, 1), size=size)
    # Every later frame knows of it.
    differences_T = np.abs(given.frames_THWC.astype(int) - fresh.frames_THWC).mean((1, 2, 3))
    assert (differences_T > 0.1).all()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--size=15"], "--size=15: it must be from 16 to 4096"),
        (["--size=5000"], "--size=5000: it must be from 16 to 4096"),
        (["--from=0.5", "--until=0.5"], "--from=0.5 --until=0.5: a process must get further"),
        (["--until=0"], "a process must get further"),
        (["--from=1.5"], "--from=1.5: it must be from 0 to 1"),
        (
            ["--order=1,sky"],
            "--order=1,sky: this model knows regions by their numbers, as in 3,1,2",
        ),
        (["--order=1,99"], "--order=1,99: name regions of the picture, each once: 1, "),
        (["--canvas=picture.png", "--other_look"], "--canvas with --other_look needs --from"),
        (["--canvas=picture_of_noise.png"], "seems to show another picture: take a photo of"),
        (["--canvas=picture.png", "--until=0.5"], "seems to be at 0.95, not before --until=0.5"),
        (["--canvas=picture.png", "--from=0.5", "--until=0.5"], "a process must get further"),
        (["--canvas=none.png", "--from=0.5"], "none.png"),
        (["--canvas=picture.png", "--from=0.5", "--held_out=1"], "--canvas takes one picture"),
    ],
)
def test_sizes_parts_and_canvases_out_of_range_end_in_a_line(run, generate, tmp_path, flags, said):
    (tmp_path / "picture.png").write_bytes(pictures.encode(scene(0, 32, 32), "png"))
    noise_HWC = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    (tmp_path / "picture_of_noise.png").write_bytes(pictures.encode(noise_HWC, "png"))
    flags = [flag.replace("=picture", f"={tmp_path}/picture") for flag in flags]
    paths = f"--image={tmp_path / 'picture.png'}", f"--output={tmp_path / 'out'}"
    generate.refuses(f"--workdir={run}", *paths, *flags, said=said)
    assert not (tmp_path / "out").exists()


def test_how_far_a_canvas_is_gets_estimated_said_and_recorded(run, generate, tmp_path):
    (tmp_path / "picture.png").write_bytes(pictures.encode(scene(0, 32, 32), "png"))
    picture, output = tmp_path / "picture.png", tmp_path / "out"
    done = generate(
        *(f"--workdir={run}", f"--image={picture}", f"--canvas={picture}", f"--output={output}")
    )
    assert done.returncode == 0, done.stderr
    # The finished picture: something is left to paint all the same.
    assert done.stderr.startswith("--from=0.95, estimated from the canvas\n")
    record = json.loads((output / "picture-oil" / "process.json").read_text())
    assert (record["from"], record["from_estimated"], record["until"]) == (0.95, True, 1)
    assert record["progress"][0] == 0.95


_STOPS = """
    import numpy as np
    from painting_jax import cli, generate
    from painting_jax.errors import UserError
    from painting_jax.generation.job import Painted

    class Stopping:
        label = "tiny"

        def generate(self, jobs):
            picture_HWC, _ = jobs[0].subject.load()
            yield Painted(jobs[0], np.stack([picture_HWC] * 2), {})
            raise UserError("the second is too much")

    generate._trained = lambda jobs: Stopping()
    cli.run(generate.main)
"""


def test_what_is_finished_is_listed_when_a_later_picture_fails(tmp_path):
    (tmp_path / "cat.png").write_bytes(pictures.encode(scene(0), "png"))
    flags = ("--workdir=run", f"--image={tmp_path}", "--medium=oil", "--medium=ink")
    (tmp_path / "stopping.py").write_text(textwrap.dedent(_STOPS))
    out, err = tmp_path / "printed", tmp_path / "said"
    program = Programs(tmp_path)
    status = program.run("stopping.py", *flags, f"--output={tmp_path / 'out'}", out=out, err=err)
    assert (status, err.read_text()) == (2, "error: the second is too much\n")
    assert out.read_text() == f"{tmp_path / 'out' / 'cat-oil'}\n"
