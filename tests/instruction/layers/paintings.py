"""Processes that the stroke painter painted, for tests to cut and to write."""

import functools

import numpy as np

from painting_jax.data import painter
from tests.synthetic import scene


@functools.cache
def painted(medium="oil", frames=6, height=64, width=80):
    """Frames of a process, uint8[T, H, W, 3]."""
    return painter.paint(scene(3, height, width), medium, frames=frames, seed=0).frames_THWC


def noisy(frames_THWC, levels=2):
    """As a camera without light of its own sees them."""
    noise = np.random.default_rng(0).integers(-levels, levels + 1, frames_THWC.shape)
    return np.clip(frames_THWC + noise, 0, 255).astype(np.uint8)
