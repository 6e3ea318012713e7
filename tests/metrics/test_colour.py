"""Lab against scikit-image."""

import numpy as np
from skimage import color

from painting_jax.metrics import colour


def test_lab_equals_scikit_image():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8)
    pictures[0, 0, :3] = [[0, 0, 0], [255, 255, 255], [3, 4, 5]]
    expected = color.rgb2lab(pictures) / 100
    np.testing.assert_allclose(colour.lab(pictures), expected, rtol=1e-5, atol=3e-6)
    as_float = pictures.astype(np.float32) / 255
    np.testing.assert_allclose(colour.lab(as_float), expected, rtol=1e-5, atol=3e-6)


def test_difference_equals_scikit_image():
    a, b = np.random.default_rng(1).integers(0, 256, (2, 15, 15, 3), np.uint8)
    expected = color.deltaE_cie76(color.rgb2lab(a), color.rgb2lab(b)) / 100
    np.testing.assert_allclose(colour.difference(a, b), expected, rtol=2e-5)
    assert np.all(colour.difference(a, a) == 0)
