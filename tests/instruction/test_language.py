"""Each language says the same things with the same facts."""

import string

import pytest

from painting_jax import media
from painting_jax.errors import UserError
from painting_jax.instruction import light, marks, places
from painting_jax.instruction.language import ANY, LANGUAGES, Words


def templates(table, path=()):
    for name, entry in table.items():
        if isinstance(entry, str):
            yield (*path, name), {key for _, key, _, _ in string.Formatter().parse(entry) if key}
        else:
            yield from templates(entry, (*path, name))


@pytest.mark.parametrize("code", LANGUAGES[1:])
def test_languages_have_the_same_templates(code):
    english, other = (dict(templates(Words.of(x).table)) for x in ("en", code))
    assert english == other


@pytest.mark.parametrize("code", LANGUAGES)
def test_everything_that_can_be_measured_has_words(code):
    words = Words.of(code)
    for kind in marks.KINDS:
        for part in ("do", "why", "mistake"):
            assert words.has("kinds", kind, part, ANY)
    assert all(words.has("places", place) for place in places.PLACES)
    assert all(words.has("directions", side) for side in light.DIRECTIONS)
    assert all(words.has("media", medium) for medium in media.MEDIA)


def test_items_are_listed():
    words = Words.of("en")
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"


def test_shares_are_not_more_exact_than_they_are_known():
    assert Words.of("en").percent(0.437) == "45 %"
    assert Words.of("en").percent(0.034) == "3 %"


def test_an_unknown_language_is_refused():
    with pytest.raises(UserError, match="--language=fr is not known: choose from en, de"):
        Words.of("fr")
