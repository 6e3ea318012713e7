"""Plain names of colours: by rule, and in every language."""

import numpy as np
import pytest

from painting_jax.instruction import colour_names, colour_words
from painting_jax.instruction.mixing import paint_sets, pigments


@pytest.mark.parametrize(
    ("code", "english", "german"),
    [
        ("000000", "black", "Schwarz"),
        ("ffffff", "white", "Weiß"),
        ("808084", "grey", "Grau"),
        ("2f4f4f", "dark muted blue-green", "dunkles, gedämpftes Blaugrün"),
        ("87b5e0", "light blue", "helles Blau"),
        ("204080", "dark blue", "dunkles Blau"),
        ("000080", "dark blue", "dunkles Blau"),
        ("d03030", "vivid red", "leuchtendes Rot"),
        ("8a5a3a", "brown", "Braun"),
        ("302826", "dark warm grey", "dunkles, warmes Grau"),
        ("dce8f2", "pale cool grey", "blasses, kühles Grau"),
        ("f4f0e8", "warm white", "warmes Weiß"),
        ("4b0082", "dark violet", "dunkles Violett"),
        ("ffc0cb", "pale pink", "blasses Rosa"),
        ("808000", "olive", "Oliv"),
        ("ffa500", "vivid orange", "leuchtendes Orange"),
    ],
)
def test_colours_have_the_names_that_people_give_them(code, english, german):
    name = colour_names.name(tuple(bytes.fromhex(code)))
    assert name.text() == english
    assert name.text("de") == german


@pytest.mark.parametrize("language", colour_words.WORDS)
def test_every_colour_has_a_name_in_every_language(language):
    levels = np.arange(0, 256, 13)
    names = {
        colour_names.name((red, green, blue))
        for red in levels
        for green in levels
        for blue in levels
    }
    words = colour_words.WORDS[language]
    assert {name.hue for name in names} == set(words["hues"]), "no word is missing or unused"
    assert {name.tone for name in names} - {""} == set(words["tones"])
    assert len({name.text(language) for name in names}) == len(names), "no two alike"


def test_every_paint_has_a_german_name():
    names = {paint.name for paint_set in paint_sets.SETS.values() for paint in paint_set.paints}
    names |= {pigment.name for pigment in pigments.known().values()}
    german = colour_words.WORDS["de"]["paints"]
    assert names == set(german), "no word is missing or unused"
    assert colour_words.paint("Bone black", "de") == "Beinschwarz"
    assert colour_words.paint("Bone black") == "Bone black"
    assert colour_words.paint("My own", "de") == "My own"


@pytest.mark.parametrize("language", colour_words.WORDS)
def test_every_set_of_paints_has_a_name(language):
    assert set(colour_words.WORDS[language]["sets"]) == set(paint_sets.SETS)
    assert colour_words.paint_set("my box.txt", language) == "my box.txt"
    for name in ("colored_pencil", "marker"):
        assert str(len(paint_sets.SETS[name].paints)) in colour_words.paint_set(name, language)
