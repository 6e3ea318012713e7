"""Painted processes that the measures of time are tried on."""

import numpy as np
import pytest
from skimage import data, transform

from painting_jax import media
from painting_jax.data.painter import Painting, paint


@pytest.fixture(scope="session")
def paintings() -> dict[str, Painting]:
    """A face and a cup painted in every medium, 17 frames of 64 x 64, by "medium picture"."""
    photos = {"face": data.astronaut()[:320, 60:380], "cup": data.coffee()[:, 100:500]}
    small = {
        name: (transform.resize(photo, (64, 64), anti_aliasing=True) * 255).astype(np.uint8)
        for name, photo in photos.items()
    }
    return {
        f"{medium} {name}": paint(small[name], medium, frames=17, seed=0)
        for medium in media.MEDIA
        for name in small
    }


@pytest.fixture(scope="session")
def painted_BTHWC(paintings) -> np.ndarray:
    """Their frames in one batch."""
    return np.stack([painting.frames_THWC for painting in paintings.values()])
