"""The training loop, when something is wrong: one line, and nothing lost or left behind."""

import jax.numpy as jnp
import pytest

from painting_jax.errors import UserError
from painting_jax.training import loop, optimizer
from painting_jax.training.checkpoint import Checkpoints
from tests.training.published_run import one_device


@pytest.mark.parametrize("log_every", [1, 100])
def test_a_loss_that_is_no_number_is_told_with_the_last_good_checkpoint(
    tiny, tmp_path, monkeypatch, log_every
):
    # The third step spoils, the fourth finds out.
    def learning_rate(_):
        return lambda step: jnp.where(step < 2, 0.0, 1e30)

    monkeypatch.setattr(optimizer, "learning_rate", learning_rate)
    tiny.steps = 6
    tiny.log.every = log_every
    tiny.checkpoint.every = 2
    said = r"step 4 is NaN or infinite: the last good checkpoint is 2 in .*/run/checkpoints"
    with one_device(), pytest.raises(UserError, match=said):
        loop.train(tiny, tmp_path / "run")
    assert Checkpoints(tmp_path / "run", read_only=True).latest() == 2
