"""The verb with a run: what it paints of a folder, and what it leaves."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap

import jax
import pytest

from painting_jax.data import pictures, video
from painting_jax.data.subjects import Subject
from painting_jax.generation.from_run import RunPainter
from painting_jax.generation.job import Job
from painting_jax.generation.magnitudes_file import MagnitudesFile
from painting_jax.generation.run import Run
from painting_jax.sharding.mesh import make_mesh
from tests import tiny, tiny_run
from tests.synthetic import scene


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> pathlib.Path:
    """A run with a checkpoint of random parameters."""
    root = tmp_path_factory.mktemp("files")
    tiny.prepare(root / "data")
    tiny_run.write(root / "run", root / "data", captions=["a cat"])
    return root / "run"


def test_a_folder_is_painted_as_often_as_one_likes(run, tmp_path):
    """Whatever its pictures' names, without its own results and what cannot be read."""
    (tmp_path / "broken.jpg").write_text("no picture")
    for name in (b"cat.png", b"bad\xff.png", b"i" * 240 + b".png"):
        (tmp_path / os.fsdecode(name)).write_bytes(pictures.encode(scene(0), "png"))
    output = tmp_path / "out"
    medium = "--medium=oil:0.7,pencil:0.3"
    for _ in range(2):
        done = tiny.verb(
            "generate", f"--workdir={run}", f"--image={tmp_path}", medium, f"--output={output}"
        )
        assert done.returncode == 0, done.stderr
        skipped = f"skipped broken.jpg: {tmp_path}/broken.jpg is not a picture"
        assert done.stderr.startswith(skipped)
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
        Run.load(run, make_mesh({}, jax.devices()[:1])),
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

    generate._trained = Stopping
    cli.run(generate.main)
"""


def test_what_is_finished_is_listed_when_a_later_picture_fails(tmp_path):
    (tmp_path / "cat.png").write_bytes(pictures.encode(scene(0), "png"))
    flags = ("--workdir=run", f"--image={tmp_path}", "--medium=oil", "--medium=ink")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_STOPS), *flags, f"--output={tmp_path / 'out'}"],
        env=tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    tiny.assert_one_line(done, "the second is too much")
    assert done.stdout == f"{tmp_path / 'out' / 'cat-oil'}\n"
