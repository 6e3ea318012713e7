"""Whole trajectories of the samplers, against diffusers' schedulers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler
from diffusers.schedulers import scheduling_flow_match_lcm

from painting_jax.diffusion import samplers, schedules, unipc
from tests.diffusion.test_schedules import SHIFTS, STEPS, unipc_scheduler

# Batch, frames, height, width, channels of the latents, of 1, 5, 9 and 13 frames of video; the
# schedulers ask for no fixed layout.
SHAPES = [(1, 1, 4, 6, 16), (2, 3, 5, 4, 16), (1, 2, 3, 2, 48), (2, 4, 2, 5, 16)]


def field(library, sample, timestep):
    """A velocity that bends and depends on the timestep, for arrays of either library."""
    return library.sin(3 * sample + timestep / 250) + 0.3 * sample * timestep / 1000


def velocity(sample, timestep_B):
    return field(jnp, sample, timestep_B.reshape(-1, *(1,) * (sample.ndim - 1)))


def noise_of(shape) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def reference(scheduler, noise: np.ndarray) -> np.ndarray:
    sample = torch.from_numpy(noise)
    for timestep in scheduler.timesteps:
        prediction = field(torch, sample, timestep.float())
        sample = scheduler.step(prediction, timestep, sample).prev_sample
    return sample.numpy()


def assert_equal(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


CASES = [(steps, shift, SHAPES[0]) for steps in STEPS for shift in SHIFTS] + [
    (10, 3.0, shape) for shape in SHAPES[1:]
]


@pytest.mark.parametrize(("steps", "shift", "shape"), CASES)
def test_the_unipc_trajectory_equals_diffusers(steps, shift, shape):
    noise = noise_of(shape)
    scheduler = unipc_scheduler(shift)
    scheduler.set_timesteps(steps)
    reached = samplers.unipc(velocity, jnp.asarray(noise), *schedules.unipc(steps, shift))
    assert_equal(reached, reference(scheduler, noise))


@pytest.mark.parametrize(("steps", "shift", "shape"), CASES)
def test_the_euler_trajectory_equals_diffusers(steps, shift, shape):
    noise = noise_of(shape)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    reached = samplers.euler(velocity, jnp.asarray(noise), *schedules.euler(steps, shift))
    assert_equal(reached, reference(scheduler, noise))


def test_the_distilled_trajectory_equals_diffusers():
    noise = noise_of(SHAPES[0])
    scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25])
    reached = samplers.euler(velocity, jnp.asarray(noise), *schedules.distilled())
    assert_equal(reached, reference(scheduler, noise))


def test_the_lcm_trajectory_equals_diffusers_with_the_same_fresh_noise(monkeypatch):
    noise = noise_of(SHAPES[1])
    keys = jax.random.split(jax.random.key(3), 4)
    fresh = iter([jax.random.normal(key, noise.shape) for key in keys])
    monkeypatch.setattr(
        scheduling_flow_match_lcm,
        "randn_tensor",
        lambda *_, **__: torch.from_numpy(np.array(next(fresh))),
    )
    scheduler = FlowMatchLCMScheduler(shift=5.0)
    scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25])
    expected = reference(scheduler, noise)
    given = jnp.asarray(noise), *schedules.distilled(), jax.random.key_data(keys)
    assert_equal(samplers.lcm(velocity, *given), expected)


def test_steps_taken_in_two_calls_arrive_where_one_call_does():
    """So that a model can be exchanged on the way, as Wan 2.2's two experts are."""
    noise = jnp.asarray(noise_of(SHAPES[0]))
    schedule = schedules.unipc(6, 3.0)
    steps = unipc.steps(*schedule)
    state = unipc.start(noise)
    for part in (slice(0, 2), slice(2, None)):
        state = unipc.advance(velocity, state, jax.tree.map(lambda x, p=part: x[p], steps))
    np.testing.assert_array_equal(state.sample, samplers.unipc(velocity, noise, *schedule))


def test_without_timesteps_the_velocity_is_told_the_noise_level():
    noise, sigmas = jnp.ones((1, 3)), schedules.unipc(2, 1.0).sigmas
    for sampler in (samplers.unipc, samplers.euler):
        told = sampler(lambda x, level_B: x * 0 + level_B[:, None], noise, sigmas)
        same = sampler(lambda x, level_B: x * 0 + level_B[:, None], noise, sigmas, sigmas[:-1])
        np.testing.assert_array_equal(told, same)


@pytest.mark.parametrize("sigmas", [[1.0, 0.5, 0.0], [0.9, 0.5, 0.1], [0.5, 0.9, 0.0]])
def test_unipc_refuses_noise_levels_it_has_no_weights_for(sigmas):
    with pytest.raises(ValueError, match="must fall to 0"):
        unipc.steps(np.array(sigmas))
