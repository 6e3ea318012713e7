"""What CLIP is told of media."""

import numpy as np
import pytest

from painting_jax import media
from painting_jax.errors import UserError
from painting_jax.evaluation import backbones, naming
from painting_jax.evaluation.backbones import Backbone
from tests.evaluation import tiny_networks


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Backbone:
    folder = tiny_networks.write_clip(tmp_path_factory.mktemp("clip"))
    return backbones.open_backbone(f"clip={folder}")


def test_every_medium_and_photos_have_a_direction_of_their_own(clip):
    found = naming.vectors(clip)
    assert set(found) == {*media.MEDIA, naming.PHOTO}
    vectors_MD = np.stack(list(found.values()))
    np.testing.assert_allclose(np.linalg.norm(vectors_MD, axis=1), 1, rtol=1e-5)
    cosine_MM = vectors_MD @ vectors_MD.T
    assert (cosine_MM - np.eye(len(found)) < 1 - 1e-4).all()


def test_it_is_the_mean_of_several_sentences_of_unit_length(clip, monkeypatch):
    monkeypatch.setattr(naming, "_SENTENCES", ("{}.", "artwork, {}.", "{}."))
    said = np.asarray(clip.describe(["oil painting.", "artwork, oil painting."]))
    said = said / np.linalg.norm(said, axis=1, keepdims=True)
    expected = 2 * said[0] + said[1]
    expected = expected / np.linalg.norm(expected)
    np.testing.assert_allclose(naming.vectors(clip)["oil"], expected, rtol=1e-4, atol=1e-5)


def test_a_network_without_texts_names_nothing(tmp_path):
    dino = backbones.open_backbone(f"dino={tiny_networks.write_dino(tmp_path)}")
    with pytest.raises(UserError, match="takes no texts"):
        naming.vectors(dino)
