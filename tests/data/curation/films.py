"""Small films of a known process, for the tests of cleaning."""

import functools

import numpy as np
from skimage import data

from benchmarks.curation.film import Film, Shooting, shot
from painting_jax.data import painter, pictures


@functools.cache
def film(medium: str = "oil", **shooting) -> Film:
    """A film of a small painting, without titles, pause and cut unless they are asked for."""
    plain = {"titles": False, "pause": 0.0, "cut": False, "still": 0.0, "crf": None}
    asked = {"height": 216, "width": 288, "frames": 96, "drift": 4.0} | plain | shooting
    return shot(_process(medium), Shooting(**asked), seed=1)


@functools.cache
def _process(medium: str) -> np.ndarray:
    photo_HWC = pictures.fit(data.chelsea(), 128, 128)
    return painter.paint(photo_HWC, medium, frames=97, seed=0).frames_THWC
