"""A studio for tests: a tiny model of random weights, and a browser that has its page's header."""

import io
import pathlib
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from painting_jax.studio.gallery import WAITING
from painting_jax.studio.offers import Offers
from painting_jax.studio.server import Studio
from tests.synthetic import scene

ADDRESS = "http://127.0.0.1:8765"
OWN = {"X-Studio": "1"}


def browser(studio: Studio, **headers: str) -> TestClient:
    """A client that sends what the studio's page sends; in a `with` block the studio paints."""
    return TestClient(studio.app, ADDRESS, headers=OWN | headers, raise_server_exceptions=False)


def studio(folder: pathlib.Path, *runs: pathlib.Path, **access) -> Studio:
    """A studio that offers the package's weights and those of runs: run1, run2, ..."""
    return Studio(folder, Offers.of([str(run) for run in runs], None), **access)


def a_picture(height: int = 48, width: int = 64) -> bytes:
    """A made-up picture as png."""
    image = Image.fromarray(scene(0, height, width))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def sent(client: TestClient, data: bytes | None = None, name: str = "cat.png") -> str:
    """Sends a picture, and returns its id."""
    answer = client.post("/api/uploads", params={"name": name}, content=data or a_picture())
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def asked(client: TestClient, picture: str, **settings) -> str:
    """Asks for a small painting with the first run, and returns its id."""
    body = {"picture": picture, "model": "run1", "medium": "oil", "frames": 3, "steps": 2}
    answer = client.post("/api/works", json=body | settings)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def ended(client: TestClient, key: str, seconds: float = 90.0) -> dict:
    """The work once it neither waits nor is painted."""
    return when(lambda: client.get(f"/api/works/{key}").json(), seconds)


def when(look: Callable[[], dict], seconds: float) -> dict:
    """What is seen once its state is none of those that wait."""
    until = time.monotonic() + seconds
    while (seen := look())["state"] in WAITING:
        assert time.monotonic() < until, seen
        time.sleep(0.05)
    return seen


def pixels(data: bytes) -> np.ndarray:
    """A picture from its bytes."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
