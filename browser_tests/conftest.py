"""A studio that runs as a program, and a browser that looks at it."""

import contextlib
import io
import pathlib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests import browsers, tiny
from tests.synthetic import scene


class Program:
    """The studio as a program that can be killed and started again.

    Attributes:
      folder: Its gallery.
      address: Where it is.
    """

    def __init__(self, folder: pathlib.Path, **environment: str):
        self.folder, self._environment = folder, environment
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it listens."""
        command = [sys.executable, "-m", "painting_jax.studio"]
        self._process = subprocess.Popen(
            [*command, f"--output={self.folder}", f"--port={self._port}"],
            env=tiny.environment(XLA_FLAGS="", **self._environment),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == f"the studio is open at {self.address}\n"

    def kill(self) -> None:
        """Ends it without a word."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="session")
def studio(tmp_path_factory) -> Iterator[Program]:
    """A studio."""
    program = Program(tmp_path_factory.mktemp("studio") / "gallery")
    yield program
    program.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser of the machine's own."""
    with browsers.browser() as started:
        yield started


@pytest.fixture
def visit(browser, studio) -> Iterator[Callable[..., Page]]:
    """Opens the studio as another person; errors on the console fail the test."""
    told: list[str] = []
    with contextlib.ExitStack() as at_end:

        def visit(width: int = 1440, height: int = 900, *, minds_errors: bool = True) -> Page:
            context = browser.new_context(viewport={"width": width, "height": height})
            at_end.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(40_000)
            if minds_errors:
                page.on("console", lambda said: told.append(f"{said.type}: {said.text}"))
            page.on("pageerror", lambda error: told.append(str(error)))
            page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
            page.on(
                "request",
                lambda asked: (
                    told.append(asked.url)
                    if not asked.url.startswith((studio.address, "data:", "blob:"))
                    else None
                ),
            )
            page.goto(studio.address)
            return page

        yield visit
    assert not told


@pytest.fixture(scope="session")
def cat(tmp_path_factory) -> pathlib.Path:
    """A made-up picture of 64 pixels, whose name is HTML."""
    path = tmp_path_factory.mktemp("pictures") / "<img src=x onerror=alert(1)>.png"
    file = io.BytesIO()
    Image.fromarray(scene(0, 48, 64)).save(file, "PNG")
    path.write_bytes(file.getvalue())
    return path


def fetched(address: str) -> bytes:
    """What is at an address of the studio."""
    with urllib.request.urlopen(address) as answer:
        return answer.read()
