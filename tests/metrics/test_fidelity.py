"""PSNR, SSIM and colour differences against scikit-image."""

import numpy as np
import pytest
from skimage import color, metrics

from painting_jax.metrics import fidelity


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    a = np.cumsum(rng.integers(-9, 10, (3, 40, 52, 3)), axis=2) % 256
    b = np.clip(a + rng.integers(-30, 31, a.shape), 0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


def test_mean_error_is_that_of_the_values(pictures):
    expected = [abs(a.astype(int) - b).mean() for a, b in zip(*pictures, strict=True)]
    np.testing.assert_allclose(fidelity.mean_error(*pictures), expected, rtol=1e-5)


def test_psnr_equals_scikit_image(pictures):
    expected = [metrics.peak_signal_noise_ratio(a, b) for a, b in zip(*pictures, strict=True)]
    np.testing.assert_allclose(fidelity.psnr(*pictures), expected, rtol=1e-5)


def test_ssim_equals_scikit_image(pictures):
    expected = [
        metrics.structural_similarity(
            a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(*pictures, strict=True)
    ]
    np.testing.assert_allclose(fidelity.ssim(*pictures), expected, rtol=1e-5)


def test_ssim_keeps_its_digits_where_pictures_are_nearly_flat():
    a, b = np.full((2, 1, 40, 52, 3), 250, np.uint8)
    b[:, 10:20] = 240
    expected = metrics.structural_similarity(
        a[0], b[0], channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    np.testing.assert_allclose(fidelity.ssim(a, b), expected, rtol=1e-5)


def test_equal_pictures_are_perfect(pictures):
    np.testing.assert_array_equal(fidelity.psnr(pictures[0], pictures[0]), 100)
    np.testing.assert_allclose(fidelity.ssim(pictures[0], pictures[0]), 1, rtol=1e-6)


def test_lab_equals_scikit_image():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8)
    pictures[0, 0, :3] = [[0, 0, 0], [255, 255, 255], [3, 4, 5]]
    expected = color.rgb2lab(pictures) / 100
    np.testing.assert_allclose(fidelity.lab(pictures), expected, rtol=1e-5, atol=3e-6)
    as_float = pictures.astype(np.float32) / 255
    np.testing.assert_allclose(fidelity.lab(as_float), expected, rtol=1e-5, atol=3e-6)


def test_colour_difference_equals_scikit_image():
    a, b = np.random.default_rng(1).integers(0, 256, (2, 15, 15, 3), np.uint8)
    expected = color.deltaE_cie76(color.rgb2lab(a), color.rgb2lab(b)) / 100
    np.testing.assert_allclose(fidelity.colour_difference(a, b), expected, rtol=2e-5)
    assert np.all(fidelity.colour_difference(a, a) == 0)
