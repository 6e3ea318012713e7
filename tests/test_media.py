"""The registry of media and the mixtures asked for by name."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from painting_jax import media
from painting_jax.errors import UserError


def test_ten_media_of_the_design_are_known():
    assert set(media.MEDIA) == {
        "acrylic", "oil", "watercolor", "pencil", "colored_pencil", "charcoal", "ink", "pastel",
        "digital", "loomis_portrait",
    }  # fmt: skip


@pytest.mark.parametrize("entry", media.MEDIA.values(), ids=media.MEDIA)
def test_grounds_are_colours_and_one_can_be_chosen(entry):
    assert len(entry.grounds) >= 2
    for colour in entry.grounds.values():
        assert len(colour) == 3
        assert 0 <= min(colour) <= max(colour) <= 1


def test_one_name_is_the_whole_mixture():
    assert media.mixture("oil") == {"oil": 1.0}


def test_weights_of_a_mixture():
    assert media.mixture(" oil:0.7, pencil:0.3") == pytest.approx({"oil": 0.7, "pencil": 0.3})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fresco", "unknown medium 'fresco'"),
        ("", "unknown medium ''"),
        ("oil:0.5,oil:0.5", "named twice"),
        ("oil,pencil", "needs a weight"),
        ("oil:x", "not a number"),
        ("oil:-1,pencil:2", "positive"),
        ("oil:nan", "positive"),
        ("oil:inf", "positive"),
        ("oil:0.5,pencil:0.4", "sum to 0.9"),
    ],
)
def test_mistakes_in_a_mixture_are_named(text, reason):
    with pytest.raises(UserError, match=reason):
        media.mixture(text)


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
    names=st.lists(st.sampled_from(sorted(media.MEDIA)), min_size=1, unique=True), data=st.data()
)
def test_any_mixture_sums_to_one(names, data):
    share = st.floats(0.05, 1)
    weights = np.array([data.draw(share) for _ in names])
    weights /= weights.sum()
    text = ",".join(f"{name}:{weight:.6f}" for name, weight in zip(names, weights, strict=True))
    mixed = media.mixture(text)
    assert list(mixed) == names
    assert sum(mixed.values()) == pytest.approx(1)
    np.testing.assert_allclose(list(mixed.values()), weights, atol=1e-4)


def test_a_prompt_names_the_heaviest_medium_first_and_then_what_is_painted():
    oil, pencil = media.MEDIA["oil"].prompt, media.MEDIA["pencil"].prompt
    assert media.prompt({"oil": 1.0}) == oil
    assert media.prompt({"oil": 0.3, "pencil": 0.7}, "a cat") == f"{pencil} {oil} a cat"


def test_a_medium_in_words_names_the_work_and_not_the_steps():
    assert media.in_words("oil") == "oil painting"
    assert media.in_words("colored_pencil") == "colored pencil drawing"
    assert all("process" not in media.in_words(name) for name in media.MEDIA)
