"""A family that is registered by one line is trained and painted with."""

import re

import numpy as np
import pytest

from painting_jax.data import pipeline
from painting_jax.generation.devices import Devices
from painting_jax.generation.run import Run
from painting_jax.models import family
from painting_jax.training import loop
from tests.training.published_run import ONE_DEVICE, one_device


@pytest.fixture
def toy(tiny, monkeypatch):
    monkeypatch.setitem(family.FAMILIES, "toy", "tests.models.toy_family:TOY")
    tiny.model.family = "toy"
    tiny.objective.structure = 0.0
    tiny.objective.drop.update(reference=0.0, text=0.0, segments=0.0)
    tiny.sampling.update(guidance=2.0, guide_on=("medium",))
    tiny.steps = 40
    tiny.log.every = 20
    return tiny


def test_another_family_is_trained_and_painted_with(toy, tmp_path, capsys):
    with one_device():
        loop.train(toy, tmp_path / "run")
    first, last = map(float, re.findall(r"loss (\S+)", capsys.readouterr().out))
    assert last < 0.9 * first
    run = Run.load(tmp_path / "run", Devices(ONE_DEVICE))
    source = pipeline.DataSource(toy.data.data_dir, "test")
    examples = pipeline.Examples(
        run.task.frames, toy.data.height, toy.data.width, run.text_conditioner, toy.model.media
    )
    batch = pipeline.stack(pipeline.spread_rows(source, examples, 2))
    painted = run.generate(batch, frames=3, steps=4, guidance=2.0, seed=1)
    assert painted.shape == batch["frames_BTHWC"].shape
    again = run.generate(batch, frames=3, steps=4, guidance=2.0, seed=1)
    np.testing.assert_array_equal(again, painted)
    assert np.any(run.generate(batch, frames=3, steps=4, guidance=1.0, seed=1) != painted)
    assert np.all(np.isfinite(run.losses(batch, seed=0)))
