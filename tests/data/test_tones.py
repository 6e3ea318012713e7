import numpy as np
import pytest

from painting_jax.data import tones
from tests.synthetic import scene


@pytest.mark.parametrize("mean", [0.12, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_a_brightened_picture_has_the_mean_asked_for(mean, seed):
    assert tones.brightened(scene(seed, 60, 90), mean).mean() / 255 == pytest.approx(mean, abs=0.04)


def test_contrast_scales_the_distance_to_the_mean():
    picture = scene(0, 60, 90)
    flat = tones.contrasted(picture, 0.3)
    assert flat.std() == pytest.approx(0.3 * picture.std(), rel=0.03)
    assert flat.mean() == pytest.approx(picture.mean(), abs=1)
    assert tones.contrasted(picture, 3).std() > 1.3 * picture.std()


@pytest.mark.parametrize(("high", "lowest", "highest"), [(True, 229, 255), (False, 0, 26)])
def test_a_key_keeps_the_picture_in_a_tenth_of_the_range(high, lowest, highest):
    picture = scene(0, 60, 90)
    shown = tones.keyed(picture, 0.1, high=high)
    assert lowest <= shown.min() <= shown.max() <= highest
    assert np.corrcoef(shown.ravel(), picture.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_ink_is_black_in_the_darkest_places_and_white_elsewhere(share):
    ramp = np.tile(np.linspace(0, 255, 90).astype(np.uint8)[:, None], (60, 1, 3))
    shown = tones.inked(ramp, share)
    assert (shown < 50).mean() == pytest.approx(share, abs=0.02)
    assert (shown == 255).mean() == pytest.approx(1 - share, abs=0.06)
    # All of a flat picture is its darkest place.
    assert (tones.inked(np.full((60, 90, 3), 200, np.uint8), share) < 50).all()


def test_a_background_leaves_the_middle_and_fills_the_corners():
    picture = scene(0, 60, 60)
    shown = tones.on_background(picture, (1, 1, 1), 0.3)
    np.testing.assert_array_equal(shown[28:32, 28:32], picture[28:32, 28:32])
    assert (shown[:6, :6] == 255).all()


def test_held_out_tones_reach_from_dark_to_bright():
    means = {name: tone(scene(1, 60, 60)).mean() for name, tone in tones.HELD_OUT.items()}
    assert means["dark"] < 50
    assert means["bright"] > 190
    assert means["drawing"] > 190
    assert means["white_background"] > 180


def test_varied_pictures_cover_all_brightnesses_and_many_stay_as_they_are():
    rng = np.random.default_rng(0)
    picture = scene(0, 32, 32)
    varied = [tones.varied(picture, rng) for _ in range(300)]
    means = np.array([shown.mean() for shown in varied])
    counts, _ = np.histogram(means, bins=5, range=(0, 255))
    assert (counts >= 10).all()
    # Nearly blank sheets and bold black on white are among them.
    whites = [(shown > 230).mean() for shown in varied]
    assert sum(white > 0.95 for white in whites) >= 3
    kept = sum(np.array_equal(shown, picture) for shown in varied)
    assert 90 < kept < 150
    assert all(shown.dtype == np.uint8 and shown.shape == picture.shape for shown in varied)
