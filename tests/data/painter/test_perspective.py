"""Vanishing points of drawn rooms and roads are found where they were put, and nowhere else."""

import dataclasses

import numpy as np
import pytest
from skimage import data, draw

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.data.painter import Manner, paint
from painting_jax.data.painter.perspective import perspective
from painting_jax.data.painter.stages import IN_PERSPECTIVE, constructed


def converging(height, width, points, each=9):
    """Dark lines of different lengths on white, that run towards points (y, x)."""
    picture = np.full((height, width, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    for y, x in points:
        for turn in np.linspace(0.15, np.pi - 0.15, each) + rng.uniform(-0.1, 0.1, each):
            way = np.array([np.sin(turn), np.cos(turn)]) * rng.choice([-1, 1])
            if abs(way[1]) < 0.3:
                continue
            near, far = sorted(rng.uniform(0.2, 0.9, 2) * width)
            far = max(far, near + 0.2 * width)
            ends = np.concatenate([[y, x] + near * way, [y, x] + far * way]).round().astype(int)
            rows, columns = draw.line(*ends)
            kept = (rows >= 1) & (rows < height - 1) & (columns >= 0) & (columns < width)
            for off in (-1, 0, 1):
                picture[rows[kept] + off, columns[kept]] = 30
    return picture


@pytest.mark.parametrize("at", [(100, 130), (60, 40), (140, 220)])
@pytest.mark.parametrize("zoom", [1, 2])
def test_one_vanishing_point(at, zoom):
    picture = converging(200 * zoom, 260 * zoom, [np.multiply(at, zoom)], each=14)
    found = perspective(picture)
    assert abs(found.horizon / zoom - at[0]) < 6
    assert len(found.lines_L4) >= 3
    # Every line passes through the point.
    start, way = found.lines_L4[:, :2], found.lines_L4[:, 2:] - found.lines_L4[:, :2]
    off = np.multiply(at, zoom) - start
    missed = np.abs(off[:, 0] * way[:, 1] - off[:, 1] * way[:, 0]) / np.hypot(*way.T)
    assert missed.max() < 6 * zoom


def test_two_vanishing_points_share_a_horizon():
    found = perspective(converging(240, 320, [(120, -60), (124, 390)], each=26))
    assert abs(found.horizon - 122) < 8
    y0, x0, y1, x1 = found.lines_L4.T
    at_left = np.abs(y0 + (y1 - y0) * (-60 - x0) / (x1 - x0) - 120) < 25
    at_right = np.abs(y0 + (y1 - y0) * (390 - x0) / (x1 - x0) - 124) < 25
    assert at_left.sum() >= 2
    assert at_right.sum() >= 2


@pytest.mark.parametrize("name", ["coffee", "chelsea", "coins", "hubble_deep_field"])
def test_pictures_without_straight_lines_have_no_perspective(name):
    picture = getattr(data, name)()
    picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, -1)
    found = perspective(pictures.fit(picture, 256, 256))
    assert found.horizon is None
    assert found.lines_L4.shape == (0, 4)


@pytest.mark.parametrize("medium", ["oil", "watercolor", "pencil", "digital"])
def test_a_horizon_is_drawn_first(medium):
    picture = converging(200, 260, [(100, 130)], each=14)
    manner = Manner.default(medium)
    built = dataclasses.replace(manner, construction=IN_PERSPECTIVE)
    ruled = constructed(media.MEDIA[medium].stages, IN_PERSPECTIVE)[0].until
    drawn = []
    for each in (manner, built):
        frames = paint(picture, medium, frames=129, seed=0, manner=each).frames_THWC.astype(int)
        changed = np.abs(frames[int(128 * ruled)] - frames[0]).max(-1) > 10
        drawn.append(changed[98:104].any(0).mean())
    assert drawn[0] < 0.5
    assert drawn[1] > 0.8


def test_a_picture_without_perspective_is_painted_all_the_same():
    picture = pictures.fit(data.coffee(), 64, 64)
    manner = dataclasses.replace(Manner.default("oil"), construction=IN_PERSPECTIVE)
    assert paint(picture, "oil", frames=3, seed=0, manner=manner).frames_THWC.shape[0] == 3
