"""A screen showed a painting program: the canvas is found in it, wherever it is."""

import dataclasses

import numpy as np
import pytest
from skimage import data

from painting_jax.data import pictures, processes
from painting_jax.data.curation import screen, screen_boxes
from painting_jax.data.curation.cleaning import cleaned
from painting_jax.data.curation.options import Cleaning
from painting_jax.errors import UserError
from tests.data.curation.films import film
from tests.data.curation.screens import SIDE, screens


@pytest.fixture(scope="module")
def shown():
    return screens(data.chelsea(), frames=40, moves=True, panel=True)


def test_a_canvas_that_is_scrolled_and_zoomed_is_found_in_every_frame(shown):
    result = cleaned(shown.pictures_THWC)
    corners_K22 = result.corners_K42[:, [0, 2]]
    boxes_K22 = shown.boxes_T4[result.kept_K].reshape(-1, 2, 2)
    assert np.abs(corners_K22 - boxes_K22).max() <= 1
    assert result.others == 0
    seen = np.stack([pictures.resize(frame, SIDE, SIDE) for frame in result.frames_KHWC])
    error = np.abs(seen.astype(float) - shown.clean_THWC[result.kept_K])
    assert np.mean(error.max(-1) < 32) > 0.9


def test_what_a_panel_covers_shows_what_was_seen_there_last(shown):
    views = screen.found(shown.pictures_THWC)
    covered = np.array([20, 21])
    panel = dataclasses.replace(views, covered_K=np.isin(views.kept_K, covered))
    frames = screen.shown(shown.pictures_THWC, panel)
    # The panel is dark; the picture is not.
    corner = np.s_[2:44, -40:-4]
    plain = screen.shown(shown.pictures_THWC, views)
    assert plain[20][corner].mean() < 80
    assert np.abs(frames[20][corner].astype(float) - plain[19][corner]).mean() < 4


def test_boxes_that_an_edge_divides_are_none():
    picture = np.full((200, 300, 3), 90, np.uint8)
    picture[20:180, 30:160] = 200
    picture[20:180, 160:280] = 30
    found = screen_boxes.boxes_of(picture).tolist()
    assert sorted(found) == [[30, 20, 160, 180], [160, 20, 280, 180]]


def test_a_picture_that_does_not_change_is_no_canvas():
    pictures_THWC = np.full((8, 200, 300, 3), 90, np.uint8)
    pictures_THWC[:, 20:180, 30:160] = pictures.resize(data.chelsea(), 160, 130)
    assert screen.found(pictures_THWC) is None


def test_a_camera_films_no_screen():
    assert not screen_boxes.is_screen(film().frames_THWC)


def test_pictures_of_a_screen_may_differ_in_size(shown, tmp_path):
    cut = [shot[: 240 - 3 * (t % 3), : 360 - 24 * (t % 2)] for t, shot in
           enumerate(shown.pictures_THWC[::2])]  # fmt: skip
    for number, picture in enumerate(cut):
        (tmp_path / f"{number:02d}.png").write_bytes(pictures.encode(picture, "png"))
    [file], _ = processes.find([tmp_path], medium="digital")
    with pytest.raises(UserError, match="another shape"):
        processes.to_record(file, max_frames=64, max_side=640)
    record = processes.to_record(file, max_frames=64, max_side=640, cleaning=Cleaning())
    assert len(record.frames) >= 18
    first, last = (pictures.decode(record.frames[at]) for at in (0, -1))
    assert first.shape[0] == first.shape[1]
    error = np.abs(pictures.resize(last, SIDE, SIDE).astype(float) - shown.clean_THWC[-2])
    assert error.mean() < 8


def test_pictures_of_the_canvas_alone_are_whole(tmp_path):
    canvas_THWC = film(light=0.0).clean_THWC[::12]
    for number, picture in enumerate(canvas_THWC):
        (tmp_path / f"{number:02d}.png").write_bytes(pictures.encode(picture, "png"))
    [file], _ = processes.find([tmp_path], medium="oil")
    record = processes.to_record(file, max_frames=64, max_side=640, cleaning=Cleaning())
    assert len(record.frames) == len(canvas_THWC)
    assert pictures.decode(record.frames[-1]).shape == canvas_THWC.shape[1:]
