"""The photo of a canvas tells which step it is, and what differs most from it."""

import io

import numpy as np
import pytest
from PIL import Image

from painting_jax.data.quadrilateral import whole
from painting_jax.generation import going_on
from painting_jax.studio import canvas
from painting_jax.studio.settings import Settings
from tests.data.test_canvas_photo import a_photo, a_picture, canvases
from tests.studio import rooms

_SETTINGS = Settings.of({"medium": "oil", "frames": 11})


@pytest.fixture(scope="module")
def rehearsal():
    return going_on.rehearsed(a_picture(), "oil")


def _process() -> canvas.Process:
    frames_THWC = canvases()
    return canvas.Process(frames_THWC, np.linspace(0, 1, len(frames_THWC)).tolist())


@pytest.mark.parametrize("at", [3, 6, 8])
def test_the_step_is_that_of_the_process_that_the_person_follows(rehearsal, at):
    photo_HWC = a_photo(canvases()[at], "table")
    reading = canvas.read(photo_HWC, a_picture(), _SETTINGS, rehearsal, _process())
    assert abs(reading.step.number - (at + 1)) <= 1
    assert reading.step.of == len(canvases())
    assert reading.warning == ""


def test_without_a_process_the_step_is_estimated(rehearsal):
    photo_HWC = a_photo(canvases()[7], "table")
    reading = canvas.read(photo_HWC, a_picture(), _SETTINGS, rehearsal)
    assert abs(reading.progress - 0.7) < 0.25
    assert reading.step.of == 11
    assert reading.step.number == 1 + round(reading.progress * 10)


def test_what_differs_most_is_named_with_its_place_and_direction(rehearsal):
    at = 8
    canvas_HWC = canvases()[at].copy()
    canvas_HWC[:40, :50] = canvas_HWC[:40, :50] // 3
    settings = Settings.of({"medium": "oil", "corners": [[0, 0], [1, 0], [1, 1], [0, 1]]})
    reading = canvas.read(canvas_HWC, a_picture(), settings, rehearsal, _process())
    assert "at the top left: your canvas is darker" in reading.differs.said
    assert reading.differs.region is not None
    assert reading.differs.path.startswith("M")


def test_another_pictures_canvas_is_said_and_the_corners_can_still_be_moved(rehearsal):
    photo_HWC = a_photo(canvases(seed=1)[7], "table")
    reading = canvas.read(photo_HWC, a_picture(), _SETTINGS, rehearsal)
    assert "another picture" in reading.warning
    assert len(reading.corners) == 4


def test_the_rest_is_painted_from_the_photo_of_a_canvas(tmp_path):
    def jpeg(picture_HWC) -> bytes:
        file = io.BytesIO()
        Image.fromarray(picture_HWC).save(file, "JPEG", quality=95)
        return file.getvalue()

    with rooms.browser(rooms.studio(tmp_path)) as client:
        picture = rooms.sent(client, jpeg(a_picture()), "picture.jpg")
        photo_HWC = a_photo(canvases()[6], "wood")
        photo = rooms.sent(client, jpeg(photo_HWC), "canvas.jpg")
        body = {"picture": picture, "canvas": photo, "medium": {"oil": 1}, "frames": 9}
        told = client.post("/api/canvas", json=body).json()
        assert set(told) >= {"corners", "progress", "step", "of", "differs", "seen", "like"}
        assert set(told) >= {"region", "outline", "shape"}
        corners_42 = np.array(told["corners"]) * whole(photo_HWC.shape[:2])[2]
        assert abs(corners_42[0] - (58, 40)).max() < 12
        body |= {"model": "packaged", "corners": told["corners"], "start": told["progress"]}
        refused = client.post("/api/works", json=body | {"corners": None})
        assert refused.status_code == 400
        body |= {"frames": told["rest"], "steps": 1, "size": 128}
        key = client.post("/api/works", json=body).json()["id"]
        work = rooms.ended(client, key)
        assert work["state"] == "done", work["said"]
        assert work["goes_on"]
        record = client.get(f"/works/{key}/process.json").json()
        assert record["goes_on_from_a_canvas"]
        assert record["from"] == told["progress"]
        assert len(work["files"]["steps"]) == told["rest"]
