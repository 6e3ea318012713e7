"""Guidance: diffusers' formula, the same numbers in one batch and sequentially."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.diffusion.guidance import classifier_free_guidance

_HIDDEN = 4096


@pytest.mark.parametrize("sequential", [False, True])
def test_it_extrapolates_away_from_the_negative_conditions(sequential):
    def of_text(sample, sigma_B, text_BL):
        return sample + text_BL.sum(-1, keepdims=True)

    sample, sigma_B = jnp.ones((2, 3)), jnp.ones(2)
    positive, negative = jnp.full((2, 4), 2.0), jnp.full((2, 4), 0.5)
    guided = classifier_free_guidance(
        of_text, sample, sigma_B, positive, negative, 5.0, sequential=sequential
    )
    np.testing.assert_allclose(guided, 1 + 2 + 5 * (8 - 2), rtol=1e-6)


def test_sequential_guidance_gives_the_numbers_of_one_batch():
    def velocity(sample, sigma_B, given):
        return jnp.sin(sample * (given["a"].sum(-1) + given["b"] + sigma_B)[:, None])

    rng = np.random.default_rng(0)
    conditions = {"a": jnp.asarray(rng.normal(size=(2, 3))), "b": jnp.asarray(rng.normal(size=2))}
    negative = jax.tree.map(jnp.zeros_like, conditions)
    arguments = (jnp.ones((2, 5)), jnp.array([0.3, 0.8]), conditions, negative, 4.0)
    together = classifier_free_guidance(velocity, *arguments)
    sequential = classifier_free_guidance(velocity, *arguments, sequential=True)
    np.testing.assert_allclose(sequential, together, atol=1e-6)


def test_sequential_guidance_needs_the_memory_of_one():
    def wide(sample, sigma_B, others_B):
        hidden = jnp.sin(sample @ jnp.ones((8, _HIDDEN)) + (sigma_B + others_B)[:, None, None])
        return hidden @ jnp.ones((_HIDDEN, 8))

    def scratch(sequential):
        guided = functools.partial(classifier_free_guidance, wide, sequential=sequential)
        sample, ones = jnp.ones((2, 64, 8)), jnp.ones(2)
        compiled = jax.jit(guided).lower(sample, ones, ones, ones, 2.0).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert scratch(sequential=True) < 0.6 * scratch(sequential=False)
