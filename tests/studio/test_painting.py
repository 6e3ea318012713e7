"""Works wait, are painted as `generate` paints, are cancelled, and outlast a restart."""

import errno
import json
import resource
import time

import numpy as np
import pytest

from painting_jax.data import subjects
from painting_jax.generation.from_run import RunPainter
from painting_jax.generation.job import Job
from painting_jax.generation.run import Run
from painting_jax.studio import gallery, limits
from painting_jax.studio.gallery import Gallery
from painting_jax.studio.painting_queue import PaintingQueue
from tests.studio import rooms

_HTML = "<img src=x onerror=alert(1)>"


@pytest.fixture
def client(tmp_path, run):
    with rooms.browser(rooms.studio(tmp_path / "studio", run)) as client:
        yield client


def test_frames_are_those_that_generate_paints_in_one_go(client, tmp_path, run):
    (tmp_path / "cat.png").write_bytes(rooms.a_picture())
    key = rooms.asked(client, rooms.sent(client), seed=3, prompt="a cat")
    work = rooms.ended(client, key)
    assert work["state"] == "done", work["said"]
    [subject], _ = subjects.from_files([str(tmp_path / "cat.png")])
    painter = RunPainter(Run.load(run), prompt="a cat", frames=3, steps=2, seed=3)
    [painted] = painter.generate([Job(subject, "oil", tmp_path / "out")])
    assert len(work["files"]["steps"]) == 3
    for name, frame_HWC in zip(work["files"]["steps"], painted.frames_THWC, strict=True):
        data = client.get(f"/works/{key}/{name}").content
        np.testing.assert_array_equal(rooms.pixels(data), frame_HWC)
    record = client.get(f"/works/{key}/process.json").json()
    assert record["picture"] == "cat.png"
    assert str(tmp_path) not in json.dumps(record)


def test_all_that_was_painted_can_be_taken_along(client):
    key = rooms.asked(client, rooms.sent(client, name=_HTML), prompt=_HTML)
    work = rooms.ended(client, key)
    assert work["name"] == _HTML
    assert {"process.mp4", "process.json"} <= set(work["files"]["known"])
    video = client.get(f"/works/{key}/process.mp4", headers={"Range": "bytes=0-99"})
    assert (video.status_code, len(video.content)) == (206, 100)
    zipped = client.get(f"/works/{key}.zip")
    assert zipped.content.startswith(b"PK")
    assert zipped.headers["content-disposition"].startswith("attachment; filename=")
    for name in ("../work.json", "work.json", "..%2Fpicture", "picture", "%2fetc%2fpasswd"):
        assert client.get(f"/works/{key}/{name}").status_code == 404, name
    assert client.delete(f"/api/works/{key}").status_code == 200
    assert client.get("/api/works").json()["count"] == 0
    assert client.get(f"/works/{key}/process.mp4").status_code == 404


def test_regions_that_were_changed_are_painted_in_their_order(client, tmp_path):
    picture = rooms.sent(client)
    told = client.post("/api/regions", json={"picture": picture}).json()
    order = [region["number"] for region in told["regions"]][::-1]
    key = rooms.asked(client, picture, order=order)
    work = rooms.ended(client, key)
    assert work["state"] == "done", work["said"]
    assert "segments.png" in work["files"]["others"]
    assert client.get(f"/works/{key}/process.json").json()["segments"] == "edited"
    painted = rooms.pixels(client.get(f"/works/{key}/segments.png").content)
    assert len(np.unique(painted)) == len(order)
    wrong = {"picture": picture, "model": "run1", "medium": "oil", "order": [99]}
    assert client.post("/api/works", json=wrong).status_code == 400


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "/etc"}, "not on offer"),
        ({"model": "../run"}, "not on offer"),
        ({"words": "1. sky"}, "does not take an order in words"),
        ({"frames": 96, "size": 2048}, "more than the studio paints"),
        ({"medium": {"gold": 1}}, "unknown medium"),
        ({"corners": [[0, 0], [1, 0], [1, 1], [0, 1]]}, "a canvas needs its photo"),
    ],
)
def test_what_a_model_cannot_do_is_refused_before_it_waits(client, tmp_path, changes, said):
    body = {"picture": rooms.sent(client), "model": "packaged", "medium": {"oil": 1}}
    answer = client.post("/api/works", json=body | changes)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert str(tmp_path) not in answer.text
    assert client.get("/api/works").json()["count"] == 0


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"[" * 100_000, b'{"picture": 1e999}'])
def test_a_request_that_is_no_request_is_refused(client, body):
    assert client.post("/api/works", content=body).status_code in (400, 404)
    assert client.post("/api/works", content=b" " * (limits.JSON + 1)).status_code == 413


class _Easel:
    """A painter that paints when it is told to, step by step."""

    def __init__(self):
        self.painted: list[str] = []
        self.error: Exception | None = None
        self.holds = True
        self.steps = True

    def paint(self, work, ticket) -> str:
        ticket.progress = lambda: {"left": None}
        while self.holds:
            if self.steps:
                ticket.step()
            time.sleep(0.005)
        if self.error:
            raise self.error
        work.result.mkdir(parents=True)
        self.painted.append(work.name)
        return ""


@pytest.fixture
def easel() -> _Easel:
    return _Easel()


@pytest.fixture
def hung(tmp_path, easel):
    """A gallery, and a queue before an easel."""
    (tmp_path / "picture").write_bytes(rooms.a_picture())
    works = Gallery(tmp_path / "gallery")
    queue = PaintingQueue(works, easel.paint, {str(tmp_path): "the studio's folder"})
    queue.start()
    yield works, queue
    queue.close()


def _hang(works, queue, tmp_path, name) -> str:
    settings = gallery.Settings.of({"medium": "oil", "model": "packaged"})
    file = tmp_path / "picture"
    work = works.add(name, (48, 64), settings, picture=file, shown=file)
    queue.add(work)
    return work.id


def _state(works, key) -> dict:
    return {"state": works.find(key).state, "said": works.find(key).said}


def _until(works, key, state) -> dict:
    until = time.monotonic() + 5
    while works.find(key).state != state:
        assert time.monotonic() < until, _state(works, key)
        time.sleep(0.005)
    return _state(works, key)


def test_paintings_come_in_the_order_in_which_they_were_asked_for(hung, easel, tmp_path):
    works, queue = hung
    keys = [_hang(works, queue, tmp_path, name) for name in "abcd"]
    _until(works, keys[0], gallery.PAINTING)
    queue.cancel(keys[2])
    assert _state(works, keys[2])["state"] == gallery.CANCELLED
    assert [work.name for work, _ in queue.waiting()] == ["a", "b", "d"]
    easel.holds = False
    _until(works, keys[3], gallery.DONE)
    assert easel.painted == ["a", "b", "d"]


def test_a_painting_that_is_cancelled_ends_at_its_next_step(hung, easel, tmp_path):
    works, queue = hung
    first, second = (_hang(works, queue, tmp_path, name) for name in "ab")
    _until(works, first, gallery.PAINTING)
    queue.cancel(first)
    _until(works, first, gallery.CANCELLED)
    _until(works, second, gallery.PAINTING)
    easel.holds = False
    _until(works, second, gallery.DONE)
    queue.again(first)
    _until(works, first, gallery.DONE)
    with pytest.raises(gallery.Refused):
        queue.again(first)
    with pytest.raises(gallery.Refused):
        queue.cancel(first)


def test_a_painting_is_cancelled_at_once_though_its_step_is_long(hung, easel, tmp_path):
    works, queue = hung
    easel.steps = False
    first, second, third = (_hang(works, queue, tmp_path, name) for name in "abc")
    _until(works, first, gallery.PAINTING)
    queue.cancel(first)
    assert _state(works, first) == {"state": gallery.CANCELLED, "said": ""}
    assert [work.name for work, _ in queue.waiting()] == ["b", "c"]
    # One painting at a time: the next begins when the long step has ended.
    assert works.find(second).state == gallery.QUEUED
    easel.holds = False
    _until(works, third, gallery.DONE)
    # What was painted to the end all the same is not left.
    assert not works.find(first).result.exists()
    queue.again(first)
    _until(works, first, gallery.DONE)
    assert works.find(first).result.exists()


def test_what_is_removed_while_its_last_step_goes_on_leaves_no_folder(hung, easel, tmp_path):
    works, queue = hung
    easel.steps = False
    first, second = (_hang(works, queue, tmp_path, name) for name in "ab")
    _until(works, first, gallery.PAINTING)
    queue.cancel(first)
    works.remove(first)
    easel.holds = False
    _until(works, second, gallery.DONE)
    assert [path.name for path in (tmp_path / "gallery" / "works").iterdir()] == [second]


def test_a_queue_has_an_end(hung, tmp_path, monkeypatch):
    works, queue = hung
    monkeypatch.setattr(limits, "QUEUE", 2)
    for name in "ab":
        queue.check_room()
        _hang(works, queue, tmp_path, name)
    with pytest.raises(gallery.Refused, match="2 paintings wait already"):
        queue.check_room()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the studio's disk is full"),
        (gallery.UserError("the picture is too grey"), "the picture is too grey"),
        (RuntimeError("secret /root/path"), "the studio failed: its console says why"),
        (MemoryError(), "out of memory"),
    ],
)
def test_a_painting_that_fails_says_so_and_the_next_is_painted(hung, easel, tmp_path, error, said):
    works, queue = hung
    easel.error = error
    first = _hang(works, queue, tmp_path, "a")
    easel.holds = False
    assert said in _until(works, first, gallery.FAILED)["said"]
    easel.error = None
    second = _hang(works, queue, tmp_path, "b")
    _until(works, second, gallery.DONE)


def test_after_a_restart_finished_works_are_there_and_others_are_offered_again(
    hung, easel, tmp_path
):
    works, queue = hung
    easel.holds = False
    done = _hang(works, queue, tmp_path, "done")
    _until(works, done, gallery.DONE)
    easel.holds = True
    painting, waits = (_hang(works, queue, tmp_path, name) for name in ("painting", "waits"))
    _until(works, painting, gallery.PAINTING)
    queue.close()
    # What is half written, or no work at all, is passed over.
    (tmp_path / "gallery" / "works" / ("0" * 16)).mkdir()
    (tmp_path / "gallery" / "works" / ".unfinished_abcdefgh").mkdir()

    again = Gallery(tmp_path / "gallery")
    states = {work.name: work.state for work in again.all()}
    assert states == {"done": "done", "painting": "interrupted", "waits": "queued"}
    easel.holds = False
    queue = PaintingQueue(again, easel.paint, {})
    queue.start()
    _until(again, waits, gallery.DONE)
    queue.again(painting)
    _until(again, painting, gallery.DONE)
    queue.close()


def test_a_full_disk_loses_no_finished_work(client, tmp_path):
    done = rooms.asked(client, rooms.sent(client))
    assert rooms.ended(client, done)["state"] == "done"
    picture = rooms.sent(client)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Its work.json fits, its pictures do not.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, most))
    try:
        key = rooms.asked(client, picture)
        work = rooms.ended(client, key)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert work["state"] == "failed"
    assert "disk is full" in work["said"]
    assert client.get(f"/works/{done}/process.mp4").status_code == 200
    assert client.post(f"/api/works/{key}/again").status_code == 200
    assert rooms.ended(client, key)["state"] == "done"


def test_the_page_is_told_how_far_a_painting_is_and_can_cancel_it(client):
    key = rooms.asked(client, rooms.sent(client), steps=100)
    versions, progress = set(), None
    until = time.monotonic() + 60
    while not (progress and progress["done"] >= 2):
        assert time.monotonic() < until
        state = client.get("/api/state").json()
        versions.add(state["version"])
        [entry] = state["queue"]
        progress = entry["progress"]
    assert (progress["stage"], progress["of"]) == ("painting", 100)
    assert len(versions) > 1
    assert client.post(f"/api/works/{key}/cancel").status_code == 200
    assert rooms.ended(client, key)["state"] == "cancelled"
    assert client.get("/api/state").json()["queue"] == []
    assert client.get(f"/works/{key}/process.mp4").status_code == 404
