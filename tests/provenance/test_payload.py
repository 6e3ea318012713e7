"""What a mark says, as bits and back."""

import datetime

import numpy as np
import pytest

from painting_jax import media
from painting_jax.provenance import payload
from painting_jax.provenance.payload import Origin

_ORIGIN = Origin.of(datetime.date(2026, 11, 27), "run demo, step 3", {"oil": 0.7, "pencil": 0.3})


def _soft(bits_N: np.ndarray, wrong: int = 0) -> np.ndarray:
    """Bits as a reader finds them, of which the first ones of so many bytes are wrong and weak."""
    soft_N = np.where(bits_N, 3.0, -3.0)
    soft_N[: 8 * wrong : 8] *= -0.1
    return soft_N


def test_bits_say_what_they_were_made_of():
    assert payload.decode(_soft(payload.encode(_ORIGIN))) == _ORIGIN
    assert (_ORIGIN.medium, _ORIGIN.is_mixture) == ("oil", True)


@pytest.mark.parametrize("medium", [*media.MEDIA, ""])
def test_every_medium_has_its_number(medium):
    origin = Origin.of(_ORIGIN.day, "demo", {medium: 1.0} if medium else {})
    assert origin.medium == medium
    assert payload.decode(_soft(payload.encode(origin))) == origin


@pytest.mark.parametrize("day", [datetime.date(1990, 1, 1), datetime.date(2200, 1, 1)])
def test_days_out_of_range_become_the_nearest(day):
    found = payload.decode(_soft(payload.encode(Origin.of(day, "demo", {"ink": 1.0}))))
    assert found.day == min(max(day, datetime.date(2025, 1, 1)), datetime.date(2069, 11, 9))


def test_weak_bytes_may_be_wrong():
    bits_N = payload.encode(_ORIGIN)
    assert payload.decode(_soft(bits_N, wrong=14)) == _ORIGIN
    assert payload.decode(_soft(bits_N, wrong=18)) is None


def test_random_bits_say_nothing():
    random = np.random.default_rng(0)
    assert all(payload.decode(random.normal(size=payload.BITS)) is None for _ in range(300))
