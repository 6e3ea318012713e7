"""A diffusion model makes the finished picture in other looks."""

import numpy as np
import pytest

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.data.enrichment import choice, editor
from painting_jax.data.process import Variant
from tests.data.enrichment import tiny_networks

_COLOUR = (0.8, 0.2, 0.4)


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    folder = tiny_networks.write_editor(tmp_path_factory.mktemp("editor"), _COLOUR)
    return choice.chosen(variants=str(folder), looks=["photo", "oil", "line_art"], steps=2)


def test_variants_have_the_size_of_the_picture_and_the_look_they_were_asked_for(variants):
    picture_HWC = tiny_networks.picture()[:75, :100]
    made = variants.variants_of(picture_HWC, "cat", "ink", ())
    assert [variant.kind for variant in made] == ["photo", "oil", "line_art"]
    for variant in made:
        edited_HWC = pictures.decode(variant.image)
        assert edited_HWC.shape == (75, 100, 3)
        np.testing.assert_allclose(edited_HWC.mean((0, 1)) / 255, _COLOUR, atol=0.01)
    again = variants.variants_of(picture_HWC, "dog", "ink", ())
    assert again == made, "the same picture has the same variants"


def test_what_is_there_and_the_medium_itself_are_not_made(variants):
    there = [Variant("photo", b"")]
    made = variants.variants_of(tiny_networks.picture(), "cat", "oil", there)
    assert [variant.kind for variant in made] == ["line_art"]


def test_every_look_has_an_instruction():
    told = {look: editor.instruction(look) for look in editor.LOOKS}
    assert set(media.MEDIA) < told.keys()
    assert len(set(told.values())) == len(told)
    assert told["oil"] == "Turn it into an oil painting. Keep the composition."
    assert told["pencil"] == "Turn it into a pencil drawing. Keep the composition."
