"""Distances between chosen frames of videos, and cosines of features."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.spatial import distance as scipy_distance

from painting_jax.metrics import perceptual
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.vgg.modeling import VGG16


def _given(distance_at_once: int | None):
    distance = LPIPS(trunk=VGG16(widths=(4, 4, 4, 4, 4), rngs=nnx.Rngs(0)), label="random")
    distance.at_once = distance_at_once
    rng = np.random.default_rng(0)
    frames_FHWC = rng.integers(0, 256, (5, 32, 48, 3), np.uint8)
    return distance, frames_FHWC, nnx.jit(lambda d, x, y: d(x, y))


@pytest.mark.parametrize("at_once", [None, 1, 2])
def test_chosen_pairs_of_frames_give_the_distance_of_the_two_pictures(at_once):
    distance, frames_FHWC, one_by_one = _given(at_once)
    pairs_P2 = np.array([[0, 4], [1, 1], [3, 2]], np.int32)
    expected_P = one_by_one(distance, *(frames_FHWC[of_P] for of_P in pairs_P2.T))
    embedded_FD = perceptual.embed(distance, frames_FHWC)
    found_P = perceptual.between(embedded_FD, embedded_FD, pairs_P2)
    np.testing.assert_allclose(found_P, expected_P, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("others", [1, 5])
@pytest.mark.parametrize("at_once", [None, 1, 2])
def test_distances_are_to_as_many_others_or_to_one(at_once, others):
    distance, frames_FHWC, one_by_one = _given(at_once)
    other_FHWC = frames_FHWC[::-1][:others]
    expected_F = one_by_one(distance, frames_FHWC, np.broadcast_to(other_FHWC, frames_FHWC.shape))
    found_F = perceptual.distances(distance, frames_FHWC, other_FHWC)
    np.testing.assert_allclose(found_F, expected_F, rtol=1e-5, atol=1e-8)


def test_nearest_progress_takes_the_earlier_of_two_equally_near():
    progress_T = np.array([0.0, 0.5, 1.0])
    found = perceptual.nearest(progress_T, np.array([0.0, 0.25, 0.3, 0.75, 0.9, 1.0]))
    np.testing.assert_array_equal(found, [0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("count", [4, 7, 8, 12, 16, 26, 30, 32])
def test_a_video_turned_round_is_looked_at_in_the_same_frames(count):
    progress_T = np.linspace(0, 1, count).astype(np.float32)
    wanted = np.linspace(0, 1, 9)
    turned = perceptual.nearest(1 - progress_T[::-1], wanted)
    np.testing.assert_array_equal(perceptual.nearest(progress_T, wanted), turned)


class Linear(nnx.Module):
    """Features that a plain matrix gives."""

    label = "a random projection"
    at_once = None

    def __init__(self, width: int):
        self.kernel = nnx.Param(jnp.asarray(np.random.default_rng(0).normal(size=(width, 12))))

    def __call__(self, pictures_NHWC):
        flat = pictures_NHWC.astype(jnp.float32).reshape(len(pictures_NHWC), -1)
        return jnp.dot(flat, self.kernel[...], precision="highest")


def test_cosine_equals_scipy():
    rng = np.random.default_rng(0)
    for width, scale in ((3, 1), (512, 1e-12), (768, 1e18)):
        a, b = rng.normal(0.3, 1, (2, 5, width)) * scale
        expected = [1 - scipy_distance.cosine(x, y) for x, y in zip(a, b, strict=True)]
        a, b = a.astype(np.float32), b.astype(np.float32)
        np.testing.assert_allclose(perceptual.cosine(a, b), expected, rtol=1e-5, atol=1e-6)


def test_nothing_is_at_a_right_angle_to_everything():
    zeros, ones = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    assert perceptual.cosine(zeros, ones) == perceptual.cosine(zeros, zeros) == 0


def test_distance_of_frames_is_one_less_the_cosine_of_their_features():
    frames_FHWC = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3), np.uint8)
    features = Linear(16 * 16 * 3)
    distance = perceptual.CosineDistance(features)
    pairs_P2 = np.array([[0, 1], [2, 3], [1, 1]], np.int32)
    found_P = perceptual.distances(distance, *(frames_FHWC[of_P] for of_P in pairs_P2.T))
    of_FD = np.asarray(features(frames_FHWC), np.float64)
    expected = [scipy_distance.cosine(of_FD[i], of_FD[j]) for i, j in pairs_P2]
    np.testing.assert_allclose(found_P, expected, rtol=1e-5, atol=1e-6)
    assert distance.label == "a random projection"
