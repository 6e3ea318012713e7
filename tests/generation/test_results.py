"""What is left of a painted picture: a person's own regions are those of its tutorial."""

import dataclasses

import numpy as np
import pytest

from painting_jax import media
from painting_jax.data import label_maps
from painting_jax.data.subjects import Subject
from painting_jax.generation import results
from painting_jax.generation.job import Job, Painted
from painting_jax.instruction import tutorial
from painting_jax.instruction.tutorial import Choices
from tests.synthetic import recording

FRAMES = recording(count=6, height=60, width=80)
# Of another size than the frames, as a person's map may be.
LABELS = np.repeat(np.arange(3, dtype=np.uint8)[:, None], 40, axis=0).repeat(160, axis=1)


@pytest.fixture
def painted(tmp_path) -> Painted:
    subject = Subject("cat", "cat.png", lambda: (FRAMES[-1], LABELS))
    parameters = {"medium": media.mixture("oil")}
    return Painted(Job(subject, "oil", tmp_path / "cat-oil"), FRAMES, parameters)


def test_regions_that_a_person_has_drawn_are_kept_and_are_those_of_the_tutorial(painted):
    results.write(painted, "tiny", tutorial=Choices(), with_mark=False)
    folder = painted.job.folder
    kept_HW = label_maps.load(folder / "segments.png", FRAMES.shape[1:3])
    np.testing.assert_array_equal(kept_HW, LABELS[::2, ::2])
    files = tutorial.files(
        FRAMES, FRAMES[-1], name="cat", medium={"oil": 1.0}, model="tiny", labels_HW=LABELS
    )
    assert (folder / "outline.svg").read_bytes() == files["outline.svg"]


def test_regions_that_were_found_are_not_kept_as_a_persons_own(painted):
    subject = Subject("cat", "cat.png", lambda: (FRAMES[-1], None))
    job = dataclasses.replace(painted.job, subject=subject)
    results.write(dataclasses.replace(painted, job=job), "tiny")
    assert not (job.folder / "segments.png").exists()
