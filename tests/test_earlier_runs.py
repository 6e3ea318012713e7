"""Runs that earlier versions made still paint what they painted; see fixtures/earlier_runs."""

import pathlib
import tarfile

import numpy as np
import pytest

from painting_jax.data import pictures
from tests.programs import Programs

FIXTURES = pathlib.Path(__file__).parent / "fixtures" / "earlier_runs"


def unpack(name: str, folder: pathlib.Path) -> pathlib.Path:
    """The workdir of a run, beside the published model that it needs."""
    with tarfile.open(FIXTURES / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / name


# At that time, models of pixels painted at the size of their tokens, and regions were found in
# another way.
_AS_THEN = ("--size=16", f"--segments={FIXTURES / 'regions.png'}")


@pytest.mark.parametrize("name", ["picture", "lora"])
def test_an_earlier_run_paints_what_it_painted(name, tmp_path):
    run = unpack(name, tmp_path)
    expected = np.load(FIXTURES / f"{name}.npz")
    # The run names its published model relative to the folder that it was trained in.
    status, output = Programs(run.parent)(
        *("-m", "painting_jax.generate"),
        *(f"--workdir={run.name}", f"--image={FIXTURES / 'picture.png'}", "--output=out"),
        *("--seed=3", *(f"--medium={medium}" for medium in expected)),
        *(_AS_THEN if name == "picture" else ()),
    )
    assert status == 0, output
    for medium, frames_THWC in expected.items():
        steps = sorted((run.parent / "out" / f"picture-{medium}" / "steps").iterdir())
        painted_THWC = np.stack([pictures.decode(path.read_bytes()) for path in steps])
        # Compiled by another version of XLA, a value may round to its neighbour.
        np.testing.assert_allclose(painted_THWC.astype(int), frames_THWC, atol=2)
