"""Convolutions by tiles."""

import jax
import numpy as np
import pytest

from painting_jax.models import winograd


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (1, 3)])
def test_tiles_give_the_convolution(shape):
    rng = np.random.default_rng(0)
    x_NHWC = rng.normal(size=(2, *shape, 12)).astype(np.float32)
    kernel_HWIO = rng.normal(size=(3, 3, 12, 10)).astype(np.float32)
    # Narrow layers go the direct way.
    expected = np.asarray(winograd.conv3x3(x_NHWC, kernel_HWIO))
    actual = jax.jit(winograd.by_tiles)(x_NHWC, kernel_HWIO)
    np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max(), rtol=0)
