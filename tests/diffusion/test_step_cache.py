"""The step cache skips what it predicts, and nothing else changes."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.diffusion.samplers import make_sampler
from painting_jax.diffusion.step_cache import Magnitudes, StepCache, skipped_steps
from painting_jax.models.block_residual import Reuse, through_blocks
from painting_jax.models.wan import transformer
from tests import tiny_sampler

_TIMESTEPS = make_sampler("unipc", 20, 3.0).timesteps


def _falling(*rates: float) -> Magnitudes:
    """Magnitudes that fall from step to step by a rate, for each pass."""
    logs = tuple(tuple(-rate * n for n in range(len(_TIMESTEPS))) for rate in rates)
    return Magnitudes(tuple(map(float, _TIMESTEPS)), logs)


@hypothesis.given(
    st.lists(st.floats(-1, 1), min_size=20, max_size=20), st.floats(0, 1), st.integers(1, 20)
)
@hypothesis.settings(max_examples=50, deadline=None)
def test_the_first_and_the_last_step_are_always_computed(ratios, threshold, steps):
    measured = Magnitudes(tuple(map(float, _TIMESTEPS)), (tuple(np.cumsum(ratios).tolist()),))
    skipped_N = skipped_steps(measured, make_sampler("unipc", steps, 3.0).timesteps, threshold)
    assert skipped_N.shape == (steps,)
    assert not skipped_N[: -(-steps // 5)].any()
    assert not skipped_N[-1]


def test_steps_are_skipped_until_their_errors_add_up_to_the_threshold():
    """|1 - e^-0.02| = 0.0198 and |1 - e^-0.04| = 0.0392 add up to 0.059."""
    assert not skipped_steps(_falling(0.02), _TIMESTEPS, 0.0).any()
    one, two = (skipped_steps(_falling(0.02), _TIMESTEPS, limit) for limit in (0.058, 0.060))
    np.testing.assert_array_equal(np.flatnonzero(one), range(4, 19, 2))
    np.testing.assert_array_equal(np.flatnonzero(~two), [0, 1, 2, 3, 6, 9, 12, 15, 18, 19])


def test_no_more_than_four_in_a_row_are_skipped_however_equal_they_are():
    skipped_N = skipped_steps(_falling(0.0), _TIMESTEPS, 1.0)
    np.testing.assert_array_equal(np.flatnonzero(~skipped_N), [0, 1, 2, 3, 8, 13, 18, 19])


def test_the_pass_that_changes_more_decides():
    both = skipped_steps(_falling(0.0, 0.1), _TIMESTEPS, 0.06)
    np.testing.assert_array_equal(both, skipped_steps(_falling(0.1), _TIMESTEPS, 0.06))
    assert not both.any()


def test_finer_steps_and_more_passes_than_were_measured_are_measured_again():
    cache = StepCache(0.5, {0: _falling(0.01)})
    assert cache.to_skip(0, _TIMESTEPS, passes=1).any()
    assert cache.to_skip(0, make_sampler("euler", 12, 5.0).timesteps, passes=1).any()
    assert cache.to_skip(0, make_sampler("unipc", 21, 3.0).timesteps, passes=1) is None
    assert cache.to_skip(0, _TIMESTEPS, passes=2) is None
    assert cache.to_skip(1, _TIMESTEPS, passes=1) is None, "the other expert"


def test_the_residual_is_added_in_the_place_of_the_blocks():
    x_BSD, residual_BSD = jnp.ones((1, 2, 3)), jnp.full((1, 2, 3), 5.0)
    for skip, after, left in ((True, 6.0, 5.0), (False, 2.0, 1.0)):
        reuse = Reuse(jnp.array(skip), residual_BSD)
        y_BSD, kept_BSD = through_blocks(lambda x: 2 * x, x_BSD, reuse)
        assert (y_BSD == after).all()
        assert (kept_BSD == left).all()


@pytest.fixture
def computed(monkeypatch) -> list:
    """Gets one entry for each time that blocks are computed."""
    entries = []

    def counted(blocks, x_BSD, reuse):
        def noted(x_BSD):
            jax.debug.callback(lambda: entries.append(1))
            return blocks(x_BSD)

        return through_blocks(noted, x_BSD, reuse)

    monkeypatch.setattr(transformer, "through_blocks", counted)
    # What is traced here is of no use elsewhere.
    jax.clear_caches()
    yield entries
    jax.clear_caches()


_HOW = {
    "one pass after the other": tiny_sampler.how(sampler="lcm", sequential=True),
    "two experts": tiny_sampler.how(sampler="euler", guidance=(1.0, 3.0), boundary=0.8, steps=16),
}


@pytest.mark.parametrize("name", _HOW)
def test_as_many_steps_are_computed_as_predicted_and_the_picture_hardly_changes(name, computed):
    asked = _HOW[name]
    passes = 2 if asked.sequential else 1
    cache = StepCache(0.02)
    full = np.asarray(tiny_sampler.sampled(asked, cache=cache).state)
    jax.effects_barrier()
    assert (cache.skipped, len(computed)) == (0, asked.steps * passes)
    computed.clear()
    fast = np.asarray(tiny_sampler.sampled(asked, cache=cache).state)
    jax.effects_barrier()
    spans = asked.make_sampler().expert_steps(asked.boundary)
    timesteps = asked.make_sampler().timesteps
    predicted = sum(
        skipped_steps(cache.magnitudes[n], timesteps[span.start : span.stop], cache.threshold).sum()
        for n, span in enumerate(spans)
    )
    assert cache.skipped == predicted > 0
    assert len(computed) == (asked.steps - predicted) * passes
    assert 0 < np.abs(fast - full).max() < 0.1 * np.abs(full).max()


def test_a_threshold_of_0_and_measuring_equal_sampling_without_a_cache():
    asked, cache = tiny_sampler.how(), StepCache(0.0)
    plain = np.asarray(tiny_sampler.sampled(asked).state)
    measured = tiny_sampler.sampled(asked, cache=cache)
    np.testing.assert_allclose(measured.state, plain, atol=1e-6)
    none_skipped = tiny_sampler.sampled(asked, cache=cache)
    assert none_skipped.skipped == 0
    np.testing.assert_array_equal(none_skipped.state, plain)


def test_steps_one_by_one_and_steps_at_once_skip_the_same():
    asked, cache, ticks = tiny_sampler.how(), StepCache(0.002), []
    tiny_sampler.sampled(asked, cache=cache, on_step=lambda: ticks.append(1))
    one_by_one = tiny_sampler.sampled(asked, cache=cache, on_step=lambda: ticks.append(1))
    at_once = tiny_sampler.sampled(asked, cache=dataclasses.replace(cache))
    assert one_by_one.skipped == at_once.skipped > 0
    assert len(ticks) == 2 * asked.steps
    np.testing.assert_allclose(one_by_one.state, at_once.state, atol=1e-6)


def test_few_steps_of_a_distilled_lora_skip_nothing_unless_the_threshold_allows_it():
    asked = tiny_sampler.how(sampler="distilled", steps=4, shift=5.0, guidance=(1.0,))
    cache = StepCache(1e-6)
    assert tiny_sampler.sampled(asked, lora=True, cache=cache).skipped == 0
    assert not cache.to_skip(0, asked.make_sampler().timesteps, passes=1).any()
    cache.threshold = 1.0
    # The first and the last are computed.
    assert tiny_sampler.sampled(asked, lora=True, cache=cache).skipped == 2
