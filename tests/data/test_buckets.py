"""Aspect buckets: the shapes that `generate` paints, and which of them a picture gets."""

import itertools

import pytest

from painting_jax import config_wan
from painting_jax.data import buckets
from painting_jax.data.buckets import Shapes
from painting_jax.generation import resolution

WAN = [(480 * 832, 16), (704 * 1280, 32)]
ASPECTS = config_wan.ASPECTS


def _shapes(area: int, multiple: int) -> Shapes:
    return Shapes(480, 832, buckets.shapes(ASPECTS, area, multiple))


@pytest.mark.parametrize(("area", "multiple"), WAN)
def test_buckets_are_shapes_that_generate_paints_of_nearly_one_area(area, multiple):
    found = buckets.shapes(ASPECTS, area, multiple)
    assert len(found) == len(ASPECTS)
    painted = {
        resolution.completed((height, width), None, None, area, multiple)
        for width, height in (map(int, aspect.split(":")) for aspect in ASPECTS)
    }
    assert set(found) == painted
    for height, width in found:
        assert height % multiple == width % multiple == 0
        assert 0.94 < height * width / area <= 1
    assert {(width, height) for height, width in found} == set(found), "portrait as landscape"


@pytest.mark.parametrize(("area", "multiple"), WAN)
def test_a_canvas_keeps_nine_tenths_or_is_padded(area, multiple):
    shapes = _shapes(area, multiple)
    for height, width in itertools.product(range(300, 1300, 37), repeat=2):
        bucket = shapes.of((height, width))
        kept = min(1, height * bucket[1] / (width * bucket[0]))
        kept *= min(1, width * bucket[0] / (height * bucket[1]))
        assert shapes.is_padded((height, width)) == (kept < 0.9) or kept == pytest.approx(0.9)
        if 9 / 16 < height / width < 16 / 9:
            assert kept > 0.88


def test_a_portrait_of_3_to_4_loses_next_to_nothing():
    shapes = _shapes(480 * 832, 16)
    assert shapes.of((1440, 1080)) == (720, 544)
    assert Shapes(480, 832).of((1440, 1080)) == (480, 832), "43 % of the canvas"


def test_without_buckets_there_is_one_shape_and_no_padding():
    shapes = Shapes(480, 832)
    for picture_HW in ((100, 900), (900, 100), (480, 832)):
        assert shapes.of(picture_HW) == (480, 832)
        assert not shapes.is_padded(picture_HW)


@pytest.mark.parametrize(
    ("picture_HW", "enlarges"),
    [
        ((480, 832), False),
        ((720, 1280), False),
        ((480, 831), True),
        ((479, 900), True),
        ((1280, 400), True),
        ((144, 256), True),
    ],
)
def test_a_side_that_is_too_short_for_the_one_shape_is_enlarged(picture_HW, enlarges):
    assert Shapes(480, 832).enlarges(picture_HW) == enlarges


@pytest.mark.parametrize(
    ("picture_HW", "enlarges"),
    [
        ((464, 832), False),
        ((960, 720), False),
        ((720, 540), True),
        ((1280, 400), False),  # padded: it has to fit into 832 x 464
        ((800, 250), True),
    ],
)
def test_a_picture_in_a_bucket_is_enlarged_if_it_is_smaller(picture_HW, enlarges):
    assert _shapes(480 * 832, 16).enlarges(picture_HW) == enlarges


@pytest.mark.parametrize(("area", "multiple"), WAN)
def test_what_prepare_keeps_by_default_fills_every_bucket(area, multiple):
    shapes = _shapes(area, multiple)
    for long, short in ((16, 9), (3, 2), (4, 3), (5, 4), (1, 1), (2, 1), (5, 1)):
        side = round(1280 * short / long)
        assert not shapes.enlarges((side, 1280))
        assert not shapes.enlarges((1280, side))
