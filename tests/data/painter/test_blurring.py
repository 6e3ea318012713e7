"""Wide blurs are computed coarsely, and are blurs all the same."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data, transform

from painting_jax.data.painter.blurring import blur


@pytest.mark.parametrize("sigma", [1.5, 4.5, 9, 20])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_blur_is_gaussian_at_every_width(sigma, channels):
    picture = transform.resize(data.astronaut(), (201, 170)).astype(np.float32)
    picture = picture if channels else picture[..., 0]
    exact = ndimage.gaussian_filter(picture, (sigma, sigma) + (0,) * len(channels), mode="nearest")
    ours = blur(picture, sigma)
    assert ours.dtype == np.float32
    assert ours.shape == picture.shape
    inside = slice(30, -30), slice(30, -30)
    np.testing.assert_allclose(ours[inside], exact[inside], atol=0.02)
    assert np.abs(ours - exact).mean() < 0.01


def test_a_blurred_constant_is_the_constant():
    np.testing.assert_allclose(blur(np.full((7, 50), 0.3, np.float32), 30), 0.3, rtol=1e-5)
