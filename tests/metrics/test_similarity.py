"""Cosines of features, and the distance that profiles are made with."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.spatial import distance as scipy_distance

from painting_jax.metrics import perceptual, similarity


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
        np.testing.assert_allclose(similarity.cosine(a, b), expected, rtol=1e-5, atol=1e-6)


def test_nothing_is_at_a_right_angle_to_everything():
    zeros, ones = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    assert similarity.cosine(zeros, ones) == similarity.cosine(zeros, zeros) == 0


def test_distance_of_frames_is_one_less_the_cosine_of_their_features():
    frames_FHWC = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3), np.uint8)
    features = Linear(16 * 16 * 3)
    distance = similarity.CosineDistance(features)
    pairs_P2 = np.array([[0, 1], [2, 3], [1, 1]], np.int32)
    found_P = perceptual.distances(distance, *(frames_FHWC[of_P] for of_P in pairs_P2.T))
    of_FD = np.asarray(features(frames_FHWC), np.float64)
    expected = [scipy_distance.cosine(of_FD[i], of_FD[j]) for i, j in pairs_P2]
    np.testing.assert_allclose(found_P, expected, rtol=1e-5, atol=1e-6)
    assert distance.label == "a random projection"
