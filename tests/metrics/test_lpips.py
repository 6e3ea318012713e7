"""LPIPS against its published definition in torch, and the statistics of one pass."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.evaluation import lpips_weights
from painting_jax.metrics import texture
from painting_jax.metrics.lpips import LPIPS, frame_statistics
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
        return lpips_weights.load_hed()
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


def test_one_pass_gives_distances_vectors_and_textures():
    distance = LPIPS(trunk=VGG16(widths=(4, 4, 4, 4, 4), rngs=nnx.Rngs(0)), label="random")
    rng = np.random.default_rng(0)
    frames_THWC = rng.integers(0, 256, (8, 32, 48, 3), np.uint8)
    # From the third frame on an area stays; the last two frames are padding.
    frames_THWC[2:, :, :32] = frames_THWC[5, :, :32] + rng.integers(0, 3, (6, 32, 32, 3), np.uint8)
    frames_THWC[6:] = 0
    mask_1T = (np.arange(8) < 6)[None]
    done_TIJ = np.asarray(texture.finished(frames_THWC[None], mask_1T)[0], np.float32)
    before_TIJ = np.concatenate([np.zeros_like(done_TIJ[:1]), done_TIJ[:-1]])
    found = frame_statistics(distance, frames_THWC, before_TIJ, done_TIJ)
    one_by_one = nnx.jit(
        lambda d, x: (d.embed(x), d.maps(x)[-1].mean((1, 2)), texture.statistics(d.maps(x)))
    )
    embedded_TD, vector_TC, statistics_TS = one_by_one(distance, frames_THWC)
    np.testing.assert_allclose(found.embedded_FD, embedded_TD, rtol=1e-5, atol=1e-6)
    size_T1 = np.sqrt(np.mean(np.asarray(vector_TC) ** 2, axis=1, keepdims=True))
    np.testing.assert_allclose(found.vector_FC, vector_TC / size_T1, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.texture_FS, statistics_TS, rtol=1e-4, atol=1e-6)
    for grams, area_TIJ in ((found.before, before_TIJ), (found.after, done_TIJ)):
        expected = nnx.jit(lambda d, x, w: texture.grams(d.maps(x), w))(
            distance, frames_THWC, area_TIJ
        )
        for ours, theirs in zip(grams, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
