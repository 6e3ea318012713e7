"""Taking a sampler's steps a few at a time."""

import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.diffusion import samplers, schedules
from painting_jax.diffusion.stepwise import stepwise
from tests.diffusion.test_samplers import noise_of, velocity
from tests.diffusion.test_schedules import unipc_scheduler

SHAPE = (1, 2, 3, 2, 4)


@pytest.mark.parametrize(
    ("kind", "steps", "sampler", "schedule"),
    [
        ("unipc", 5, samplers.unipc, schedules.unipc(5, 3.0)),
        ("euler", 5, samplers.euler, schedules.euler(5, 3.0)),
        ("distilled", 4, samplers.euler, schedules.distilled(shift=3.0)),
    ],
)
def test_steps_in_parts_lead_where_all_at_once_do(kind, steps, sampler, schedule):
    noise = jnp.asarray(noise_of(SHAPE))
    expected = sampler(velocity, noise, *schedule)
    walk = stepwise(kind, steps, 3.0)
    np.testing.assert_array_equal(walk.timesteps, schedule.timesteps)
    state = walk.start(noise)
    for part in (walk.part(0, 1), walk.part(1, 2), walk.part(2, steps)):
        state = walk.advance(velocity, state, part)
    np.testing.assert_allclose(walk.sample(state), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("boundary", [0.0, 0.9, 0.875, 1.0])
def test_the_first_of_two_transformers_takes_the_steps_that_it_takes_in_diffusers(boundary):
    scheduler = unipc_scheduler(5.0)
    scheduler.set_timesteps(40)
    high = int((scheduler.timesteps >= 1000 * boundary).sum())
    walk = stepwise("unipc", 40, 5.0)
    assert walk.stages(boundary) == [(0, high), (high, 40)]
    assert walk.stages(None) == [(0, 40)]


def test_fresh_noise_is_the_seeds_however_many_steps_are_taken_at_once():
    noise = noise_of(SHAPE)

    def walked(seed: int, *parts: tuple[int, int]) -> np.ndarray:
        walk = stepwise("lcm", 4, 5.0, seed)
        state = walk.start(noise)
        for part in parts:
            state = walk.advance(velocity, state, walk.part(*part))
        return np.asarray(walk.sample(state))

    at_once = walked(7, (0, 4))
    np.testing.assert_allclose(walked(7, (0, 1), (1, 4)), at_once, rtol=0, atol=1e-6)
    assert np.abs(walked(8, (0, 4)) - at_once).max() > 0.1
