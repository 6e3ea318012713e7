"""Exchanged conditions: really other values, and what the loss makes of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painting_jax.evaluation.condition_effects import condition_effects, exchange


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(0, 2**32 - 1))
def test_exchange_gives_everyone_another_value_when_no_value_holds_the_majority(values, seed):
    values_N = np.array(values)
    order_N, changed_N = exchange(values_N, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(order_N), np.arange(len(values)))
    np.testing.assert_array_equal(changed_N, values_N[order_N] != values_N)
    if np.bincount(values_N).max() * 2 <= len(values):
        assert changed_N.all()


def _batches(rows=(4, 2), filled=4):
    """Six examples in batches of four: the second is filled up."""
    rng = np.random.default_rng(0)
    made = []
    for count in rows:
        batch = {
            "medium_BM": np.eye(3, dtype=np.float32)[np.arange(filled) % 3],
            "segments_BHW": np.zeros((filled, 2, 2), np.uint8),
            "text_BL": rng.integers(1, 99, (filled, 3)),
            "reference_BHWC": rng.integers(0, 256, (filled, 2, 2, 3), np.uint8),
        }
        batch["own_text"] = batch["text_BL"].copy()
        made.append((batch, count))
    return made


PICTURES = [f"photo{number}" for number in range(6)]


def test_only_the_condition_that_is_used_raises_the_loss():
    def losses(batch, *, seed):
        noise = np.random.default_rng(seed).normal(size=4)
        wrong = (batch["text_BL"] != batch["own_text"]).any(axis=1)
        return 1 + 0.1 * noise + wrong

    found = condition_effects(losses, _batches(), pictures=PICTURES, draws=2, seed=0)
    np.testing.assert_allclose(found["text"].rise, (1, 1, 1, 6, 6), rtol=1e-6)
    np.testing.assert_allclose(found["medium"].rise[:3], 0)
    # All segments are alike: there is nothing to exchange.
    assert "segments" not in found


def test_rows_that_fill_a_batch_up_do_not_count():
    seen = []

    def losses(batch, *, seed):
        seen.append(batch["text_BL"][2:])
        return np.zeros(4)

    batches = _batches(rows=(2,))
    found = condition_effects(losses, batches, pictures=PICTURES[:2], draws=1, seed=0)
    assert found["text"].rise.n == 2
    for text in seen:
        np.testing.assert_array_equal(text, batches[0][0]["text_BL"][2:])


def test_processes_of_one_photo_are_one_observation():
    """Twenty processes of two photos counted as twenty: intervals held the mean in .4 of cases."""
    photo_N = np.repeat([0, 1], 10)
    batches = [
        (
            {
                "medium_BM": np.eye(20, dtype=np.float32),
                "segments_BHW": np.zeros((20, 2, 2), np.uint8),
                "text_BL": np.arange(20)[:, None],
                "reference_BHWC": photo_N[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8),
            },
            20,
        )
    ]

    def losses(batch, *, seed):
        wrong_B = batch["text_BL"][:, 0] != np.arange(20)
        return 1 + wrong_B * np.array([0.1, 0.3])[photo_N]

    photos = [f"photo{number}" for number in photo_N]
    effect = condition_effects(losses, batches, pictures=photos, draws=1, seed=0)["text"]
    assert effect.rise[3:] == (20, 2)
    assert effect.rise.mean == pytest.approx(0.2)
    # The rise differs from photo to photo by as much as it is: it is not known to be there.
    assert effect.rise.low < 0
    assert effect.verdict == "too few pictures"
    apart = condition_effects(losses, batches, pictures=list(map(str, range(20))), draws=1, seed=0)
    assert apart["text"].rise.low > 0
    assert apart["text"].verdict == "used"
