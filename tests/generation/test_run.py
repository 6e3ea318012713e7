"""What is said before a run paints."""

import pathlib
import types

import numpy as np
import pytest

from configs import demo, wan21_i2v_14b
from painting_jax.data.subjects import Subject
from painting_jax.generation.from_run import RunPainter
from painting_jax.generation.job import Job
from painting_jax.generation.run import guidance_warning
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from tests.synthetic import scene


@pytest.mark.parametrize("guidance", [None, -1.0, 0.0, 1.0, 1.5])
def test_guidance_in_the_range_of_small_models_passes(guidance):
    assert guidance_warning(demo.get_config(), guidance) is None


@pytest.mark.parametrize("guidance", [1.51, 3.0, 7.5])
def test_guidance_above_it_is_warned_of_for_small_models_alone(guidance):
    said = guidance_warning(demo.get_config(), guidance)
    assert said.startswith(f"warning: --guidance={guidance:g}: ")
    assert said.endswith(" up to 1.5")
    assert guidance_warning(wan21_i2v_14b.get_config(), guidance) is None


class _Stub:
    """A run that keeps what it is conditioned on."""

    label = "stub"
    paints_any_size = False
    seen_HW = (64, 64)

    def __init__(self):
        self.config = demo.get_config()
        self.task = types.SimpleNamespace(frames=self.config.data.frames)
        self.text_conditioner = TokenConditioner(Tokenizer.train(["a cat"]), 4)
        self.batch: dict[str, np.ndarray] = {}

    def generate(self, batch, *, frames, **_):
        self.batch = batch
        return batch["reference_BHWC"][:, None].repeat(frames, 1)


@pytest.mark.parametrize("other_look", [True, False])
def test_pictures_are_marked_as_another_look_only_if_the_user_says_so(other_look):
    run = _Stub()
    jobs = [
        Job(Subject("cat", "cat.png", lambda: (scene(0, 40, 60), None)), medium, pathlib.Path())
        for medium in ("oil", "ink")
    ]
    painted = list(RunPainter(run, other_look=other_look).generate(jobs))
    assert run.batch["other_look_B"].tolist() == [other_look] * 2
    assert [each.parameters["other_look"] for each in painted] == [other_look] * 2
