"""The blur of pictures against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from painting_jax.data.gaussian import gaussian, slope


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (40, 5, 1), (64, 48, 3), (30, 30, 24)])
@pytest.mark.parametrize(("sigma", "truncate"), [(0.1, 2), (0.7, 2), (1.3, 2.5), (4, 2.5)])
def test_it_is_that_of_scipy(shape, sigma, truncate):
    values_HWx = np.random.default_rng(0).uniform(-50, 100, shape).astype(np.float32)
    sigmas = (sigma, sigma) + (0,) * (len(shape) - 2)
    expected = ndimage.gaussian_filter(values_HWx, sigmas, mode="nearest", truncate=truncate)
    actual = gaussian(values_HWx, sigma, truncate)
    assert (actual.shape, actual.dtype) == (shape, np.float32)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5)


def test_a_part_of_an_array_is_blurred():
    whole_HWC = np.random.default_rng(0).uniform(size=(20, 30, 8)).astype(np.float32)
    part_HW = gaussian(whole_HWC[..., 2], 1.0, 2)
    np.testing.assert_allclose(part_HW, gaussian(whole_HWC, 1.0, 2)[..., 2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5), (37, 20), (240, 320)])
def test_slopes_are_those_of_scipy(shape):
    values = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    expected = ndimage.gaussian_gradient_magnitude(values, 1.0)
    np.testing.assert_allclose(slope(values), expected, atol=1e-4, rtol=1e-5)


def test_a_flat_area_has_no_slope():
    values = np.full((40, 60), 201.7, np.float32)
    values[:, 30:] = 13.3
    slopes = slope(values)
    assert slopes[:, :24].max() == slopes[:, 36:].max() == 0
    assert slopes[:, 29:31].min() > 10
