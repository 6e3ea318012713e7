"""PSNR and SSIM against scikit-image."""

import numpy as np
import pytest
from skimage import metrics

from painting_jax.metrics import fidelity


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    a = np.cumsum(rng.integers(-9, 10, (3, 40, 52, 3)), axis=2) % 256
    b = np.clip(a + rng.integers(-30, 31, a.shape), 0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


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
