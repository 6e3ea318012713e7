"""The invisible mark: what it survives, and that it stays invisible."""

import datetime

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from benchmarks import attacks
from painting_jax.data import pictures
from painting_jax.provenance import mark
from painting_jax.provenance.detection import detect
from painting_jax.provenance.payload import Origin

_ORIGIN = Origin.of(datetime.date(2026, 11, 27), "demo", {"watercolor": 1.0})


def _process(height: int, width: int) -> np.ndarray:
    """A canvas that becomes a photo in five frames."""
    photo_HWC = pictures.fit(load_sample_images().images[0], height, width)
    shares = np.linspace(0, 1, 5)[:, None, None, None]
    return (247 + shares * (photo_HWC - 247.0)).round().astype(np.uint8)


@pytest.fixture(scope="module")
def frames_THWC():
    return _process(512, 640)


@pytest.fixture(scope="module")
def marked_THWC(frames_THWC):
    return mark.embed(frames_THWC, _ORIGIN)


# What must hold, of what `python -m benchmarks.mark` measures.
@pytest.mark.parametrize(
    "name",
    [
        "none",
        "H.264, CRF 35",
        "H.264, 300 kbit/s",
        "crop 5 % left",
        "crop 5 % top",
        "crop 5 % all sides",
        "scale 0.5",
        "JPEG, quality 50",
        "crop all sides, CRF 35",
        "scale 0.5, CRF 28",
    ],
)
def test_mark_survives(marked_THWC, name):
    assert detect(attacks.ATTACKS[name](marked_THWC)) == _ORIGIN


@pytest.mark.parametrize("index", [0, 2, -1])
def test_each_frame_alone_carries_the_mark(marked_THWC, index):
    assert detect(marked_THWC[[index]]) == _ORIGIN


def test_smallest_videos_of_generate_carry_the_mark():
    marked_THWC = mark.embed(_process(384, 384), _ORIGIN)
    assert detect(attacks.h264(marked_THWC, crf=35)) == _ORIGIN
    assert detect(attacks.scale(marked_THWC, 0.5)) == _ORIGIN


def test_a_mark_changes_little(frames_THWC, marked_THWC):
    _assert_invisible(frames_THWC, marked_THWC)


@pytest.mark.parametrize("colour", [(0, 0, 0), (247, 247, 247), (255, 255, 255), (255, 0, 0)])
def test_flat_frames_carry_it_invisibly_also_at_the_ends_of_the_range(colour):
    flat_THWC = np.full((1, 384, 512, 3), colour, np.uint8)
    marked_THWC = mark.embed(flat_THWC, _ORIGIN)
    _assert_invisible(flat_THWC, marked_THWC)
    assert np.abs(marked_THWC.astype(int) - flat_THWC).max() <= 8
    assert detect(marked_THWC) == _ORIGIN


def test_the_loudest_picture_is_changed_no_more():
    noise_THW1 = np.random.default_rng(0).choice([0, 255], (1, 256, 256, 1))
    noise_THWC = noise_THW1.astype(np.uint8).repeat(3, 3)
    _assert_invisible(noise_THWC, mark.embed(noise_THWC, _ORIGIN))


def _assert_invisible(frames_THWC, marked_THWC):
    assert marked_THWC.dtype == np.uint8
    error_T = np.square(marked_THWC.astype(float) - frames_THWC).mean((1, 2, 3))
    assert (10 * np.log10(255**2 / error_T)).min() >= 40


def test_no_false_alarm(frames_THWC):
    assert detect(frames_THWC) is None
    assert detect(attacks.h264(frames_THWC, crf=35)) is None
    for picture_HWC in load_sample_images().images:
        assert detect(picture_HWC[None]) is None


@pytest.mark.parametrize("shape", [(8, 8), (8, 300), (200, 15)])
def test_frames_without_room_are_read_as_not_marked(shape):
    for value in (0, 200):
        assert detect(np.full((1, *shape, 3), value, np.uint8)) is None
    noise_THWC = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), np.uint8)
    assert detect(noise_THWC) is None
