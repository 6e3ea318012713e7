"""Whole trajectories of the samplers, against diffusers' schedulers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler
from diffusers.schedulers import scheduling_flow_match_lcm

from painting_jax.diffusion import samplers, unipc
from tests.diffusion.integrate import integrate
from tests.diffusion.test_schedules import SHIFTS, STEPS, unipc_scheduler

# Batch, frames, height, width, channels of the latents, of 1, 5, 9 and 13 frames of video; the
# schedulers ask for no fixed layout.
SHAPES = [(1, 1, 4, 6, 16), (2, 3, 5, 4, 16), (1, 2, 3, 2, 48), (2, 4, 2, 5, 16)]


def field(library, sample, timestep):
    """A velocity that bends and depends on the timestep, for arrays of either library."""
    return library.sin(3 * sample + timestep / 250) + 0.3 * sample * timestep / 1000


def velocity(sample, sigma, timestep):
    del sigma
    return field(jnp, sample, timestep)


def sampled(kind: str, steps: int, shift: float, noise: np.ndarray, seed: int = 0):
    sampler = samplers.make_sampler(kind, steps, shift, seed)
    return integrate(sampler, velocity, jnp.asarray(noise))


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
    assert_equal(sampled("unipc", steps, shift, noise), reference(scheduler, noise))


@pytest.mark.parametrize(("steps", "shift", "shape"), CASES)
def test_the_euler_trajectory_equals_diffusers(steps, shift, shape):
    noise = noise_of(shape)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    assert_equal(sampled("euler", steps, shift, noise), reference(scheduler, noise))


def test_the_distilled_trajectory_equals_diffusers():
    noise = noise_of(SHAPES[0])
    scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25])
    assert_equal(sampled("distilled", 4, 5.0, noise), reference(scheduler, noise))


def test_the_lcm_trajectory_equals_diffusers_with_the_same_fresh_noise(monkeypatch):
    noise = noise_of(SHAPES[1])
    keys = jax.random.wrap_key_data(samplers.make_sampler("lcm", 4, 5.0, 3).steps.key_data)
    fresh = iter(
        [jnp.broadcast_to(jax.random.normal(key, noise.shape[1:]), noise.shape) for key in keys]
    )
    monkeypatch.setattr(
        scheduling_flow_match_lcm,
        "randn_tensor",
        lambda *_, **__: torch.from_numpy(np.array(next(fresh))),
    )
    scheduler = FlowMatchLCMScheduler(shift=5.0)
    scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25])
    expected = reference(scheduler, noise)
    assert_equal(sampled("lcm", 4, 5.0, noise, 3), expected)
    assert np.abs(sampled("lcm", 4, 5.0, noise, 4) - expected).max() > 0.1, "another seed"


@pytest.mark.parametrize("boundary", [0.0, 0.9, 0.875, 1.0])
def test_the_first_of_two_experts_takes_the_steps_that_it_takes_in_diffusers(boundary):
    scheduler = unipc_scheduler(5.0)
    scheduler.set_timesteps(40)
    high = int((scheduler.timesteps >= 1000 * boundary).sum())
    sampler = samplers.make_sampler("unipc", 40, 5.0)
    assert sampler.expert_steps(boundary) == [range(high), range(high, 40)]
    assert sampler.expert_steps(None) == [range(40)]


@pytest.mark.parametrize("sigmas", [[1.0, 0.5, 0.0], [0.9, 0.5, 0.1], [0.5, 0.9, 0.0]])
def test_unipc_refuses_noise_levels_it_has_no_weights_for(sigmas):
    with pytest.raises(ValueError, match="must fall to 0"):
        unipc.make_steps(np.array(sigmas), np.array(sigmas[:-1]))
