"""Latents that are held during sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.diffusion import given_latents
from painting_jax.diffusion.given_latents import GivenLatents
from painting_jax.diffusion.samplers import SAMPLERS, make_sampler
from painting_jax.models.codec import PixelCodec

_SHAPE = (2, 5, 2, 3, 4)


def sampled(kind: str, given: GivenLatents, noise_BTHWC: jax.Array) -> np.ndarray:
    """The latents of a sampler with a network that makes no sense."""
    sampler = make_sampler(kind, 6, 3.0, seed=1)
    state = sampler.start(noise_BTHWC)
    for index in range(len(sampler.timesteps)):
        step = jax.tree.map(lambda x, index=index: x[index], sampler.steps)
        noisy = sampler.sample(state)
        velocity = jnp.sin(7 * noisy) + noisy.mean()
        state = sampler.advance(given.held(velocity, noisy, step.sigma), state, step)
    return np.asarray(sampler.sample(state))


@pytest.mark.parametrize("kind", SAMPLERS)
def test_every_sampler_ends_in_the_latents_that_are_given(kind):
    clean, noise = (jax.random.normal(jax.random.key(seed), _SHAPE) for seed in (0, 1))
    known_BT = jnp.array([[False, False, False, False, True], [True, False, True, False, False]])
    found = sampled(kind, GivenLatents(clean, known_BT), noise)
    np.testing.assert_allclose(found[known_BT], clean[known_BT], atol=1e-5)
    free = sampled(kind, GivenLatents(clean, jnp.zeros_like(known_BT)), noise)
    assert np.abs(free - clean)[~known_BT].min(-1).max() > 0.1
    assert np.abs(free[known_BT] - clean[known_BT]).max() > 0.1


def test_a_canvas_is_the_last_frame_of_the_models_video():
    canvas_BHWC = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3), minval=-1)
    codec = PixelCodec(2)
    given = given_latents.canvas(codec, canvas_BHWC, frames=3)
    assert given.clean_BTHWC.shape == (2, 3, 4, 4, 3)
    np.testing.assert_allclose(given.clean_BTHWC[:, -1], codec.encode(canvas_BHWC[:, None])[:, 0])
    assert given.known_BT.tolist() == [[False, False, True]] * 2
