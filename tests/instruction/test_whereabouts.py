"""Where a photographed canvas stands in a process is told, whatever its light."""

import functools

import numpy as np
import pytest
from skimage import data

from painting_jax.data import painter, pictures
from painting_jax.instruction.whereabouts import Whereabouts


@functools.cache
def process(medium: str, frames: int | None) -> painter.Painting:
    photo_HWC = pictures.shrunk(data.coffee(), 128)
    return painter.paint(photo_HWC, medium, frames=frames, seed=0)


def photographed(canvas_HWC: np.ndarray) -> np.ndarray:
    """In warm light that falls off to one side, with noise, coded as a JPEG."""
    falling_W1 = np.linspace(0.8, 1, canvas_HWC.shape[1])[:, None]
    photo_HWC = canvas_HWC * falling_W1 * (1.05, 0.95, 0.85)
    photo_HWC += np.random.default_rng(0).normal(0, 3, photo_HWC.shape)
    return pictures.decode(pictures.encode(photo_HWC.clip(0, 255).astype(np.uint8)))


@pytest.mark.parametrize("medium", ["oil", "watercolor", "pencil"])
def test_the_progress_of_a_canvas_is_told(medium):
    known, fine = process(medium, None), process(medium, 41)
    where = Whereabouts.of(known.frames_THWC, known.progress_T)
    moments = range(3, 40, 4)
    errors = [
        abs(where.progress(photographed(fine.frames_THWC[i])) - fine.progress_T[i]) for i in moments
    ]
    assert np.mean(np.array(errors) <= 0.05) >= 0.9


def test_the_frames_themselves_are_told():
    known = process("pastel", None)
    where = Whereabouts.of(known.frames_THWC, known.progress_T)
    for i in range(2, len(known.progress_T), 5):
        assert abs(where.progress(known.frames_THWC[i]) - known.progress_T[i]) < 1e-3


def test_between_two_frames_is_told():
    frames_THWC = np.full((2, 64, 64, 3), 220, np.uint8)
    frames_THWC[1, :, :32] = (40, 80, 160)
    half_HWC = frames_THWC[0].copy()
    half_HWC[:32, :32] = (40, 80, 160)
    where = Whereabouts.of(frames_THWC, np.array([0.2, 0.4]))
    assert abs(where.progress(half_HWC) - 0.3) < 0.03
