"""What browsers send: bounded, checked, and never more than a picture."""

import concurrent.futures
import io
import os
import resource
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from painting_jax.studio import limits
from tests.studio import rooms

_HTML = "<img src=x onerror=alert(1)>.png"


@pytest.fixture
def client(tmp_path):
    with rooms.browser(rooms.studio(tmp_path)) as client:
        yield client


def _left(folder) -> list[str]:
    return sorted(path.name for path in (folder / "uploads").iterdir())


def _announcing(height: int, width: int) -> bytes:
    """A png whose header promises more than it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IEND", b"")


def _zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("picture.jpg", bytes(50_000_000))
    return file.getvalue()


def test_a_picture_is_kept_under_a_random_name_and_shown_encoded_anew(client, tmp_path):
    answer = client.post("/api/uploads", params={"name": "cat.png"}, content=rooms.a_picture())
    told = answer.json()
    assert (told["name"], told["height"], told["width"]) == ("cat.png", 48, 64)
    assert _left(tmp_path) == [told["id"]]
    shown = client.get(told["shown"])
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.content[:3] == b"\xff\xd8\xff"
    assert str(tmp_path) not in answer.text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (_HTML, _HTML),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\cat.png", "cat.png"),
        ("two\nlines\x1b[2J.png", "two\\nlines\\x1b[2J.png"),
        ("", "picture"),
        ("x" * 1000, "x" * limits.NAME),
    ],
)
def test_a_name_is_a_line_of_text_and_no_path(client, name, kept):
    answer = client.post("/api/uploads", params={"name": name}, content=rooms.a_picture())
    assert answer.json()["name"] == kept


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a picture"),
        (b"<html><script>alert(1)</script>", "is not a picture"),
        (_zip_bomb(), "is not a picture"),
        (_announcing(60_000, 60_000), "cat.jpg has"),
        (_announcing(20_000, 20_000), "more than 64 megapixels"),
        (rooms.a_picture()[:150], "cut short"),
        (rooms.a_picture(4, 4), "each side needs at least 8"),
    ],
    ids=["nothing", "html", "zip bomb", "huge", "large", "cut", "dot"],
)
def test_what_is_no_picture_is_refused_in_a_line_and_leaves_nothing(client, tmp_path, data, said):
    began = time.monotonic()
    answer = client.post("/api/uploads", params={"name": "cat.jpg"}, content=data)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert str(tmp_path) not in answer.text
    assert "\n" not in answer.json()["error"]
    assert _left(tmp_path) == []
    assert time.monotonic() - began < 5


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(client, tmp_path):
    headers = {"Content-Length": str(500 << 20)}
    answer = client.post("/api/uploads", content=b"x", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (
        413,
        "a picture may have 64 MB: save it smaller, as jpg",
    )
    assert _left(tmp_path) == []


def test_a_file_that_does_not_say_how_large_it_is_is_cut_off(client, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "UPLOAD", 1 << 20)
    sent = []

    def endless():
        for _ in range(64):
            sent.append(1)
            yield bytes(1 << 18)

    answer = client.post("/api/uploads", content=endless())
    assert answer.status_code == 413
    assert _left(tmp_path) == []


def test_a_hundred_uploads_at_once_are_all_kept(client):
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        keys = list(pool.map(lambda n: rooms.sent(client, name=f"{n}.png"), range(100)))
    assert len(set(keys)) == 100
    assert all(client.get(f"/uploads/{key}.jpg").status_code == 200 for key in keys)


def test_a_full_disk_is_said_and_loses_nothing(client, tmp_path):
    first = rooms.sent(client)
    noise_HWC = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise_HWC).save(file, "PNG")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file of this process may grow beyond it: what a full disk does, with another number.
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, most))
    try:
        answer = client.post("/api/uploads", content=file.getvalue())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert answer.status_code == 507
    assert "disk is full" in answer.json()["error"]
    assert _left(tmp_path) == [first]


def test_a_disk_without_spare_room_takes_no_uploads(client, monkeypatch):
    monkeypatch.setattr(limits, "SPARE", 1 << 60)
    answer = client.post("/api/uploads", content=rooms.a_picture())
    assert answer.status_code == 507


def test_old_pictures_make_room_for_new_ones_and_fresh_ones_do_not(client, tmp_path, monkeypatch):
    old, fresh = rooms.sent(client), rooms.sent(client)
    then = time.time() - limits.UPLOAD_FRESH - 1
    os.utime(tmp_path / "uploads" / old, (then, then))
    total = sum(path.stat().st_size for path in tmp_path.glob("uploads/*/*"))
    monkeypatch.setattr(limits, "UPLOADS", total)
    key = rooms.sent(client)
    assert _left(tmp_path) == sorted([fresh, key])
    monkeypatch.setattr(limits, "UPLOADS", 1000)
    assert client.post("/api/uploads", content=rooms.a_picture()).status_code == 507


@pytest.mark.parametrize(
    "path", ["/uploads/..%2F..%2Fspeeds.jpg", "/uploads/0123456789abcdef.jpg", "/uploads/x.jpg"]
)
def test_what_was_not_sent_is_not_there(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/page/..%2Fserver.py", "/page/../server.py", "/page/%2e%2e/server.py", "/page/.git"]
)
def test_the_page_is_all_that_is_served_of_the_package(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no such page"}
