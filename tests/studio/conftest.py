"""What the studio's tests share."""

import pathlib

import pytest

from tests import tiny_run


@pytest.fixture(scope="session")
def run(painted_dir, tmp_path_factory) -> pathlib.Path:
    """A training run with the smallest model, which has not begun to learn."""
    workdir = tmp_path_factory.mktemp("studio") / "run"
    tiny_run.write(workdir, painted_dir, captions=["a cat"])
    return workdir
