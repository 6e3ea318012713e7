"""LPIPS against its published definition, written in torch."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.evaluation import hed_vgg
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.vgg.modeling import VGG16


@nnx.jit
def _between(distance: LPIPS, a_NHWC, b_NHWC):
    return distance(a_NHWC, b_NHWC)


def _small() -> LPIPS:
    trunk = VGG16(widths=(4, 4, 8, 8, 8), rngs=nnx.Rngs(0))
    distance = LPIPS(trunk=trunk, label="random weights")
    rng = np.random.default_rng(0)
    for head in distance.heads:
        head[...] = jnp.asarray(rng.uniform(0, 1, head.shape), jnp.float32)
    return distance


@pytest.fixture(scope="module")
def distance() -> LPIPS:
    try:
        return hed_vgg.load()
    except UserError:
        return _small()


def _definition(distance: LPIPS, a_NHWC: np.ndarray, b_NHWC: np.ndarray) -> np.ndarray:
    """Zhang et al. (2018), equation 1, over the five blocks of VGG16."""
    trunk = distance.trunk

    def features(pictures):
        x = torch.tensor(pictures, dtype=torch.float64).permute(0, 3, 1, 2) / 255
        mean, std = (torch.tensor(v, dtype=torch.float64) for v in (trunk.mean, trunk.std))
        x = (x - mean[:, None, None]) / std[:, None, None]
        for k, block in enumerate(trunk.blocks):
            x = F.max_pool2d(x, 2) if k else x
            for conv in block:
                kernel = torch.tensor(np.asarray(conv.kernel[...]), dtype=torch.float64)
                bias = torch.tensor(np.asarray(conv.bias[...]), dtype=torch.float64)
                x = F.relu(F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1))
            yield F.normalize(x, dim=1, eps=1e-10)

    total = 0
    for f, g, head in zip(features(a_NHWC), features(b_NHWC), distance.heads, strict=True):
        w = torch.tensor(np.asarray(head[...]), dtype=torch.float64)
        total = total + ((f - g) ** 2 * w[:, None, None]).sum(1).mean((1, 2))
    return total.numpy()


@pytest.mark.parametrize("shape", [(64, 64), (80, 112)])
def test_distance_equals_published_definition(distance, shape):
    rng = np.random.default_rng(1)
    a = rng.integers(0, 256, (2, *shape, 3), np.uint8)
    b = np.clip(a.astype(int) + rng.integers(-40, 41, a.shape), 0, 255).astype(np.uint8)
    np.testing.assert_allclose(_between(distance, a, b), _definition(distance, a, b), rtol=1e-5)


def test_distance_is_zero_for_equal_pictures_and_symmetric():
    distance = _small()
    rng = np.random.default_rng(2)
    a, b = jnp.asarray(rng.integers(0, 256, (2, 2, 32, 32, 3), np.uint8))
    np.testing.assert_array_equal(_between(distance, a, a), 0)
    np.testing.assert_array_equal(_between(distance, a, b), _between(distance, b, a))


def test_bytes_and_floats_give_the_same_distance():
    distance = _small()
    rng = np.random.default_rng(3)
    a, b = jnp.asarray(rng.integers(0, 256, (2, 2, 32, 32, 3), np.uint8))
    as_float = _between(distance, *(x.astype(jnp.float32) / 255 for x in (a, b)))
    np.testing.assert_allclose(_between(distance, a, b), as_float, rtol=1e-6)


def test_mean_of_the_map_is_the_distance_and_the_map_shows_where():
    distance = _small()
    a_NHWC = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), np.uint8)
    b_NHWC = a_NHWC.copy()
    b_NHWC[:, :16, :16] = 255 - b_NHWC[:, :16, :16]
    map_NHW = np.asarray(nnx.jit(lambda d, a, b: d.spatial(a, b))(distance, a_NHWC, b_NHWC))
    expected = _between(distance, a_NHWC, b_NHWC)
    np.testing.assert_allclose(map_NHW.mean((1, 2)), expected, rtol=1e-5)
    assert np.all(map_NHW[:, :16, :16].mean((1, 2)) > 3 * map_NHW[:, 32:, 32:].mean((1, 2)))
