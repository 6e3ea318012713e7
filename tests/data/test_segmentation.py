"""Segments cover the picture, are few and smooth, and are numbered back to front."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import data, transform

from painting_jax.data.painter import line_art
from painting_jax.data.segmentation import segment


def photo(name, height, width):
    picture = transform.resize(getattr(data, name)(), (height, width), anti_aliasing=True)
    return (picture * 255).astype(np.uint8)


def assert_labels_run_from_1_to_K(labels_HW, shape):
    assert labels_HW.dtype == np.uint8
    assert labels_HW.shape == shape
    names = np.unique(labels_HW)
    assert np.array_equal(names, np.arange(1, len(names) + 1))
    assert len(names) <= 10


@pytest.mark.parametrize("shape", [(64, 64), (768, 1024), (40, 300)])
@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_photos_have_a_few_regions_without_specks(name, shape):
    labels = segment(photo(name, *shape))
    assert_labels_run_from_1_to_K(labels, shape)
    assert labels.max() >= 3
    for label in range(1, labels.max() + 1):
        islands, _ = ndimage.label(labels == label)
        assert np.bincount(islands.ravel())[1:].min() > 0.001 * labels.size


@pytest.mark.parametrize("make", [line_art, lambda p: p[..., :1].repeat(3, -1)])
def test_drawings_and_grey_pictures_are_segmented(make):
    assert_labels_run_from_1_to_K(segment(make(photo("astronaut", 64, 64))), (64, 64))


def test_same_picture_gives_same_segments():
    picture = photo("coffee", 80, 60)
    assert np.array_equal(segment(picture), segment(picture.copy()))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_constant_picture_is_one_region(value):
    assert (segment(np.full((50, 70, 3), value, np.uint8)) == 1).all()


def test_object_in_the_middle_is_found_and_lies_in_front():
    picture = np.full((96, 96, 3), (90, 140, 200), np.uint8)
    y, x = np.mgrid[:96, :96]
    disc = np.hypot(y - 52, x - 48) < 20
    picture[disc] = (200, 60, 40)
    labels = segment(picture)
    assert labels.max() == 2
    assert ((labels == 2) == disc).mean() > 0.97


def test_sky_comes_before_the_ground():
    picture = np.full((64, 64, 3), (150, 190, 240), np.uint8)
    picture[36:] = (70, 110, 40)
    labels = segment(picture)
    assert labels[0, 32] < labels[-1, 32]


def sky_over_hills(side):
    """A sky from deep blue to nearly white over hills; and where the hills are."""
    y, x = np.mgrid[:side, :side] / side
    share = np.minimum(y / 0.7, 1)[..., None]
    picture = (1 - share) * (60, 110, 210) + share * (235, 240, 245)
    hills = y > 0.7 + 0.05 * np.sin(9 * x)
    picture[hills] = (60, 80, 40)
    return picture.astype(np.uint8), hills


@pytest.mark.parametrize("side", [64, 512, 1024])
def test_a_sky_with_a_gradient_is_one_region(side):
    picture, hills = sky_over_hills(side)
    labels = segment(picture)
    assert labels.max() == 2
    assert ((labels == 2) == hills).mean() > 0.995


def test_a_wire_does_not_cut_a_sky():
    picture, _ = sky_over_hills(512)
    picture[:, 250:253] = 20
    labels = segment(picture)
    assert (labels[20:300] == labels[20, 20]).all()


@pytest.mark.parametrize("side", [256, 512, 1024])
def test_borders_follow_the_contours_of_a_large_picture(side):
    y, x = np.mgrid[:side, :side] / side - 0.5
    star = np.hypot(y, x) < 0.25 + 0.04 * np.sin(9 * np.arctan2(y, x))
    picture = np.where(star[..., None], (200, 60, 40), (90, 140, 200)).astype(np.uint8)
    wrong = (segment(picture) == 2) != star
    contour = (star[1:] != star[:-1]).sum() + (star[:, 1:] != star[:, :-1]).sum()
    assert wrong.sum() < 1.2 * contour


def test_margins_of_one_colour_are_one_region():
    picture = np.full((128, 128, 3), 250, np.uint8)
    picture[:, 20:108] = (40, 60, 90)
    labels = segment(picture)
    assert labels.max() == 2
    assert labels[60, 5] == labels[60, 122] != labels[60, 64]


def test_regions_are_no_slivers():
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        labels = segment(photo(name, 256, 256))
        for label in range(1, labels.max() + 1):
            deep = ndimage.distance_transform_edt(np.pad(labels == label, 1)).max()
            assert deep > 256 * 0.015


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(8, 70),
    width=st.integers(8, 70),
    coarse=st.integers(1, 12),
)
def test_any_picture_is_covered(seed, height, width, coarse):
    blocks = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    picture = blocks.repeat(coarse, 0).repeat(coarse, 1)
    rows, columns = np.arange(height) % len(picture), np.arange(width) % len(picture)
    assert_labels_run_from_1_to_K(segment(picture[rows][:, columns]), (height, width))


@pytest.mark.parametrize("side", [64, 200, 384])
def test_a_flat_shape_is_one_region_to_its_corners(side):
    """Superpixels over its edges have the colours of both sides."""
    image = Image.new("RGB", (side, side), "#fce94f")
    draw = ImageDraw.Draw(image)
    corners = [(0.5, 0.1), (0.9, 0.9), (0.1, 0.9)]
    draw.polygon([(x * side, y * side) for x, y in corners], fill="#204a87")
    draw.ellipse((0.37 * side, 0.5 * side, 0.63 * side, 0.76 * side), fill="#ef2929")
    labels_HW = segment(np.asarray(image))
    assert labels_HW.max() == 3
    inside_HW = np.asarray(image)[..., 2] == 0x87
    assert np.bincount(labels_HW[inside_HW]).max() > 0.97 * inside_HW.sum()
