"""A half-finished canvas is found in a photo, whose perspective and light are known here."""

import functools
import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import transform

from painting_jax.data import canvas_light, canvas_photo, painter, quadrilateral
from painting_jax.data.rehearsal import Rehearsal
from painting_jax.errors import UserError
from painting_jax.generation.going_on import Canvas

_CORNERS_42 = np.array([(58, 40), (262, 61), (250, 196), (70, 208)], float)


@functools.cache
def a_picture(seed: int = 0) -> np.ndarray:
    """A made-up landscape: uint8[96, 128, 3]."""
    rng = np.random.default_rng(seed)
    y_HW, x_HW = np.mgrid[:96, :128]
    picture_HWC = np.empty((96, 128, 3))
    picture_HWC[:] = rng.integers(120, 230, 3)
    for depth in (35, 50, 70):
        ridge_W = depth + ndimage.gaussian_filter1d(rng.normal(0, 40, 128), 6)
        picture_HWC[y_HW > ridge_W] = rng.integers(20, 200, 3)
    for _ in range(5):
        (y, x), radius = rng.uniform(20, 80, 2), rng.uniform(6, 16)
        picture_HWC[(y_HW - y) ** 2 + (x_HW - x) ** 2 < radius**2] = rng.integers(0, 256, 3)
    return picture_HWC.astype(np.uint8)


@functools.cache
def canvases(seed: int = 0, medium: str = "oil") -> np.ndarray:
    """The picture at 0, 10, ... 100 % of its painting."""
    manner = painter.Manner.sample(medium, np.random.default_rng(40 + seed))
    picture_HWC = a_picture(seed)
    return painter.paint(picture_HWC, medium, frames=11, seed=7, manner=manner).frames_THWC


@functools.cache
def rehearsal(seed: int = 0, medium: str = "oil") -> Rehearsal:
    return Rehearsal.of(a_picture(seed), medium)


def a_background(kind: str) -> np.ndarray:
    """A plain table, a wooden one or a wall above a table: float[240, 320, 3]."""
    rng = np.random.default_rng(3)
    if kind == "wood":
        grain_HW = ndimage.gaussian_filter(rng.normal(0, 1, (240, 320)), (1, 30))
        return (1 + 0.06 * grain_HW / grain_HW.std())[..., None] * (150, 105, 65)
    background_HWC = np.full((240, 320, 3), (96.0, 120, 110) if kind == "table" else 205.0)
    if kind == "wall":
        background_HWC[230:] = (110, 90, 80)
    return background_HWC


def a_photo(canvas_HWC: np.ndarray, kind: str) -> np.ndarray:
    """The canvas from the side, in a light with a cast and a gradient, as a JPEG."""
    height, width = canvas_HWC.shape[:2]
    whole_42 = quadrilateral.whole((height, width))
    there = transform.ProjectiveTransform.from_estimate(_CORNERS_42, whole_42)
    x_HW, y_HW = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    x_P, y_P = there(np.stack([x_HW.ravel(), y_HW.ravel()], axis=1)).T
    inside_P = (x_P >= 0) & (x_P <= width) & (y_P >= 0) & (y_P <= height)
    photo_P3 = a_background(kind).reshape(-1, 3)
    for c in range(3):
        seen_P = ndimage.map_coordinates(
            canvas_HWC[..., c].astype(float), (y_P - 0.5, x_P - 0.5), order=1, mode="nearest"
        )
        photo_P3[inside_P, c] = seen_P[inside_P]
    photo_HWC = photo_P3.reshape(240, 320, 3) * np.linspace(0.84, 0.92, 320)[:, None]
    photo_HWC = photo_HWC * (1.06, 1.0, 0.9) + np.random.default_rng(0).normal(0, 3, (240, 320, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(photo_HWC, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


def canvas_in(photo_HWC: np.ndarray) -> Canvas:
    return Canvas.of(photo_HWC, a_picture(), rehearsal())


@pytest.mark.parametrize(
    ("kind", "medium", "at"),
    [("table", "oil", 3), ("wood", "oil", 6), ("wall", "oil", 7), ("table", "pencil", 5)],
)
def test_the_corners_of_a_canvas_are_found_whatever_lies_around_it(kind, medium, at):
    photo_HWC = a_photo(canvases(0, medium)[at], kind)
    corners_42 = canvas_photo.corners(photo_HWC, a_picture())
    far_4 = np.linalg.norm(corners_42 - _CORNERS_42, axis=1)
    assert far_4.mean() < 0.015 * np.linalg.norm(_CORNERS_42[2] - _CORNERS_42[0])


def test_the_corners_are_those_of_the_photo_at_any_size():
    photo_HWC = np.repeat(np.repeat(a_photo(canvases()[5], "table"), 3, axis=0), 3, axis=1)
    corners_42 = canvas_photo.corners(photo_HWC, a_picture())
    np.testing.assert_allclose(corners_42, 3 * _CORNERS_42, atol=12)


@pytest.mark.parametrize("at", [4, 8])
def test_a_photo_of_the_canvas_alone_keeps_its_shape(at):
    canvas_HWC = canvases()[at]
    corners_42 = canvas_photo.corners(canvas_HWC, a_picture())
    np.testing.assert_allclose(corners_42, quadrilateral.whole(canvas_HWC.shape[:2]))


def test_finished_parts_get_the_colours_of_the_picture():
    canvas_HWC = canvases()[7].astype(float)
    found_HWC = canvas_in(a_photo(canvases()[7], "table")).canvas_HWC
    assert found_HWC.shape == canvas_HWC.shape
    done_HW = np.abs(canvas_HWC - canvases()[-1]).max(-1) < 12
    assert np.abs(found_HWC - canvas_HWC)[done_HW].mean() < 10


def test_unpainted_ground_stays_as_it_is():
    blank_HWC = canvases()[0]
    lit_HWC = (blank_HWC * 0.9).astype(np.uint8)
    found_HWC = canvas_light.taken_away(lit_HWC, rehearsal().finished_HWC)
    # The light may be taken for brighter or darker, not for coloured.
    ratio_HWC = found_HWC / lit_HWC
    assert np.ptp(ratio_HWC.mean((0, 1))) < 0.1


def test_a_canvas_of_another_picture_is_refused():
    with pytest.raises(UserError, match=r"^canvas.jpg seems to show another picture"):
        canvas_in(a_photo(canvases(seed=1)[7], "table")).check("canvas.jpg")


@pytest.mark.parametrize("at", [0, 1])
def test_a_canvas_with_little_paint_is_not_refused(at):
    canvas = canvas_in(a_photo(canvases()[at], "table"))
    canvas.check("canvas.jpg")
    assert canvas.canvas_HWC.shape == a_picture().shape


def test_corners_that_the_user_gives_are_taken():
    photo_HWC = a_photo(canvases()[7], "table")
    canvas = Canvas.of(photo_HWC, a_picture(), rehearsal(), corners_42=_CORNERS_42)
    assert abs(canvas.progress - 0.7) < 0.2
    elsewhere_42 = quadrilateral.whole((40, 60))
    moved = Canvas.of(photo_HWC, a_picture(), rehearsal(), corners_42=elsewhere_42)
    assert np.abs(moved.canvas_HWC.astype(float) - canvas.canvas_HWC).mean() > 20


def test_progress_is_estimated_from_how_far_the_canvas_is_from_the_picture():
    found = [rehearsal().progress(canvases()[at]) for at in (0, 3, 5, 8, 10)]
    assert sorted(found) == found
    np.testing.assert_allclose(found, [0, 0.3, 0.5, 0.8, 1], atol=0.2)


def test_a_photo_without_any_edge_is_the_canvas_itself():
    grey_HWC = np.full((60, 80, 3), 200, np.uint8)
    assert canvas_in(grey_HWC).canvas_HWC.shape == a_picture().shape
