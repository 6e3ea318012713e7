"""Guidance: the same numbers in one batch and in turn, diffusers' formula on two prompts."""

import jax
import jax.numpy as jnp
import numpy as np

from painting_jax.diffusion import guidance
from tests.models.painting.test_conditioning import some

_HIDDEN = 4096


def velocity(sample, sigma_B, given):
    steer = given.medium_BM.sum(-1) + given.text_BL.sum(-1) + sigma_B
    return jnp.sin(sample * steer[:, None])


def test_in_turn_gives_the_numbers_of_one_batch():
    given, sample, sigma_B = some(2), jnp.linspace(-1, 1, 6).reshape(2, 3), jnp.array([0.3, 0.8])
    together = guidance.guided(velocity, 4.0, ["text"])(sample, sigma_B, given)
    in_turn = guidance.guided(velocity, 4.0, ["text"], in_turn=True)(sample, sigma_B, given)
    np.testing.assert_allclose(in_turn, together, atol=1e-6)


def test_a_negative_prompt_is_extrapolated_away_from():
    def of_text(sample, sigma_B, text_BL):
        return sample + text_BL.sum(-1, keepdims=True)

    sample, sigma_BF = jnp.ones((2, 3)), jnp.ones((2, 5))
    wanted, unwanted = jnp.full((2, 4), 2.0), jnp.full((2, 4), 0.5)
    for in_turn in (False, True):
        guided = guidance.contrasted(of_text, 5.0, in_turn=in_turn)
        np.testing.assert_allclose(
            guided(sample, sigma_BF, wanted, unwanted), 1 + 2 + 5 * (8 - 2), rtol=1e-6
        )


def test_in_turn_needs_the_memory_of_one():
    def wide(sample, sigma_B, others_B):
        hidden = jnp.sin(sample @ jnp.ones((8, _HIDDEN)) + (sigma_B + others_B)[:, None, None])
        return hidden @ jnp.ones((_HIDDEN, 8))

    def scratch(in_turn):
        guided = guidance.contrasted(wide, 2.0, in_turn=in_turn)
        sample, ones = jnp.ones((2, 64, 8)), jnp.ones(2)
        compiled = jax.jit(guided).lower(sample, ones, ones, ones).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert scratch(in_turn=True) < 0.6 * scratch(in_turn=False)
