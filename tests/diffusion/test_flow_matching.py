"""The straight path, its velocity, and the distribution of the noise level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from painting_jax.diffusion import flow_matching, losses, samplers
from painting_jax.diffusion.flow_matching import NoiseDistribution
from tests.diffusion.integrate import integrate

PARAMETERS = {"mean": 0.3, "std": 1.2, "shift": 3.0}


def pair(seed: int, shape=(2, 3, 4, 5)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), level=st.floats(0.06, 1.0))
def test_both_parametrisations_give_the_same_velocity_and_loss(seed, level):
    clean, noise = pair(seed)
    prediction, _ = pair(seed + 1)
    sigma_B = jnp.array([level, 1.0])
    sample = flow_matching.noisy(clean, noise, sigma_B)
    velocity = flow_matching.velocity(prediction, sample, sigma_B, clean_prediction=True)
    as_clean = losses.velocity_loss(prediction, clean, noise, sigma_B, clean_prediction=True)
    as_velocity = losses.velocity_loss(velocity, clean, noise, sigma_B, clean_prediction=False)
    np.testing.assert_allclose(as_clean, as_velocity, rtol=2e-3)


def test_a_right_prediction_has_no_loss_and_gives_the_true_velocity():
    clean, noise = pair(0)
    sigma_B = jnp.array([0.2, 0.9])
    sample = flow_matching.noisy(clean, noise, sigma_B)
    velocity = flow_matching.velocity(clean, sample, sigma_B, clean_prediction=True)
    np.testing.assert_allclose(velocity, noise - clean, atol=1e-4)
    loss = losses.velocity_loss(clean, clean, noise, sigma_B, clean_prediction=True)
    np.testing.assert_array_equal(loss, 0)


def test_the_loss_stays_bounded_where_the_noise_level_vanishes():
    clean, noise = pair(0)
    sigma_B = jnp.array([1e-6, flow_matching.NOISE_FLOOR])
    loss = losses.velocity_loss(clean + 0.1, clean, noise, sigma_B, clean_prediction=True)
    np.testing.assert_allclose(loss[0], loss[1], rtol=1e-5)


@pytest.mark.parametrize("huber", [0.01, 0.1, 1.0])
def test_large_errors_count_by_their_size(huber):
    prediction, target = pair(0)
    loss = losses.velocity_loss(
        prediction, 0 * target, -target, jnp.ones(2), clean_prediction=False, huber=huber
    )
    size = np.sqrt(np.square(prediction + target).mean(-1))
    expected = 2 * scipy.special.pseudo_huber(huber, size).mean((1, 2))
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_of_two_outcomes_the_likelier_costs_least_and_not_their_mean():
    outcomes = jnp.repeat(jnp.array([0.0, 1.0]), jnp.array([7, 3]))[:, None, None]

    def best(huber):
        guesses = jnp.linspace(0, 1, 101)
        costs = jax.vmap(
            lambda guess: losses.velocity_loss(
                jnp.full_like(outcomes, guess),
                outcomes,
                0 * outcomes,
                jnp.ones(10),
                clean_prediction=True,
                huber=huber,
            ).mean()
        )(guesses)
        return guesses[costs.argmin()]

    np.testing.assert_allclose(best(0.0), 0.3, atol=0.01)
    assert best(0.1) < 0.1


@pytest.mark.parametrize("kind", ["uniform", "logit_normal"])
def test_noise_levels_follow_their_quantiles(kind):
    distribution = NoiseDistribution(kind, **PARAMETERS)
    sigma_B = distribution.sample(jax.random.key(0), 20_000)
    shares = jnp.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(
        jnp.quantile(sigma_B, shares), distribution.quantile(shares), atol=0.02
    )
    assert float(sigma_B.min()) > 0
    assert float(sigma_B.max()) < 1 + 1e-6


@pytest.mark.parametrize("kind", ["uniform", "logit_normal"])
@pytest.mark.parametrize("sigma_range", [(0.9, 1.0), (0.0, 0.9), (0.4, 0.6)])
def test_a_truncated_distribution_is_the_whole_one_between_two_levels(kind, sigma_range):
    lowest, highest = sigma_range
    whole_B = NoiseDistribution(kind, **PARAMETERS).sample(jax.random.key(0), 50_000)
    kept = whole_B[(lowest <= whole_B) & (whole_B <= highest)]
    truncated = NoiseDistribution(kind, **PARAMETERS, sigma_range=sigma_range)
    sigma_B = truncated.sample(jax.random.key(1), 20_000)
    assert lowest - 1e-6 < float(sigma_B.min())
    assert float(sigma_B.max()) < highest + 1e-6
    shares = jnp.array([0.1, 0.5, 0.9])
    expected, width = jnp.quantile(kept, shares), highest - lowest
    np.testing.assert_allclose(jnp.quantile(sigma_B, shares), expected, atol=0.03 * width)


def test_an_unknown_distribution_is_refused():
    with pytest.raises(ValueError, match="unknown noise distribution"):
        NoiseDistribution("cauchy")


@settings(max_examples=30, deadline=None)
@given(sigma=st.floats(0, 1), shift=st.floats(0.2, 10))
def test_a_shift_is_undone_by_its_inverse_and_keeps_the_ends(sigma, shift):
    there = flow_matching.shifted(jnp.float32(sigma), shift)
    np.testing.assert_allclose(flow_matching.shifted(there, 1 / shift), sigma, atol=2e-5)
    ends = flow_matching.shifted(jnp.array([0.0, 1.0]), shift)
    np.testing.assert_allclose(ends, [0, 1], atol=1e-6)


@pytest.mark.parametrize(("steps", "shift"), [(1, 1.0), (7, 3.0), (20, 5.0)])
def test_the_rectified_flow_trajectory_equals_diffusers(steps, shift):
    """Evenly spaced noise levels, shifted, and the same velocity field through both samplers."""
    noise, other = pair(3)
    even = np.linspace(1, 0, steps + 1)
    sigmas = shift * even / (1 + (shift - 1) * even)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=sigmas[:-1].tolist())
    expected = torch.from_numpy(noise)
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
        velocity = torch.sin(3 * expected) + sigma * torch.from_numpy(other)
        expected = scheduler.step(velocity, timestep, expected).prev_sample

    def velocity_field(sample, sigma, timestep):
        np.testing.assert_allclose(timestep, 1000 * sigma, rtol=1e-6)
        return jnp.sin(3 * sample) + sigma * other

    sampler = samplers.make_sampler("rectified_flow", steps, shift)
    actual = integrate(sampler, velocity_field, jnp.asarray(noise))
    scale = float(expected.abs().max())
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5 * scale)


def test_a_clean_prediction_is_reached_exactly_at_the_end():
    clean, noise = pair(4)

    def velocity_field(sample, sigma, timestep):
        sigma_B = jnp.full(len(sample), sigma)
        return flow_matching.velocity(clean, sample, sigma_B, clean_prediction=True)

    sampler = samplers.make_sampler("rectified_flow", 6, 4.0)
    reached = integrate(sampler, velocity_field, jnp.asarray(noise))
    np.testing.assert_allclose(reached, clean, atol=1e-5)
