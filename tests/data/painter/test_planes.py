"""Planes are facets of one colour, few, with straight borders, and keep the values."""

import dataclasses

import numpy as np
import pytest
from skimage import data, measure

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.data.painter import Manner, paint
from painting_jax.data.painter.guides import palette
from painting_jax.data.painter.manner import ALLA_PRIMA
from painting_jax.data.painter.planes import in_planes
from painting_jax.data.painter.stages import IN_PLANES, masses
from painting_jax.data.segmentation import segment


def ball(side=200):
    """A lit ball before a darker wall, and its two regions."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    inside = np.hypot(y, x) < 0.35
    light = np.clip(0.6 - 0.9 * (y + x), 0.05, 1)
    return np.where(inside, light, 0.25)[..., None].repeat(3, -1).astype(np.float32), (
        inside + 1
    ).astype(np.uint8)


@pytest.mark.parametrize("side", [64, 200, 384])
def test_a_ball_becomes_a_few_facets_of_its_values(side):
    picture, labels = ball(side)
    planes = in_planes(picture, labels)
    facets = np.unique(planes[labels == 2], axis=0)
    assert 3 <= len(facets) <= 6
    assert np.abs(planes - picture).mean() < 0.06
    for label in (1, 2):
        np.testing.assert_allclose(
            planes[labels == label].mean(), picture[labels == label].mean(), atol=1e-4
        )


def test_a_round_ball_has_corners():
    picture, labels = ball(384)
    planes = in_planes(picture, np.ones_like(labels))[..., 0]
    border = max(measure.find_contours((planes > 0.5).astype(float), 0.5), key=len)
    corners = measure.approximate_polygon(border, 1.5)
    smooth = max(measure.find_contours(picture[..., 0], 0.5), key=len)
    assert 4 <= len(corners) < 0.75 * len(measure.approximate_polygon(smooth, 1.5))


@pytest.mark.parametrize("medium", ["oil", "acrylic", "digital", "charcoal"])
def test_masses_in_planes_are_nearer_to_the_planes(medium):
    photo = pictures.fit(data.astronaut(), 128, 128)
    labels = segment(photo)
    manner = dataclasses.replace(Manner.default(medium), order=ALLA_PRIMA)
    planes = dataclasses.replace(manner, construction=IN_PLANES)
    aim = 255 * in_planes(palette(photo, media.MEDIA[medium]), labels)
    laid = round(128 * masses(media.MEDIA[medium].stages).until)
    apart = []
    for m in (manner, planes):
        frames = paint(photo, medium, frames=129, seed=0, manner=m, segments_HW=labels).frames_THWC
        apart.append(np.abs(frames[laid] - aim).mean())
    assert apart[1] < 0.95 * apart[0]
