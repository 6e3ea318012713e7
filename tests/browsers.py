"""A headless browser for tests of pages; they are skipped where none is installed."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
)  # fmt: skip


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser of the machine's own."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser is installed: {', '.join(NAMES)}")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=list(_OPTIONS))
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def opened(
    started: Browser, address: str, *, width: int = 1280, height: int = 900
) -> Iterator[Page]:
    """A page without a network; what it says on the console, or asks of others, fails the test."""
    context = started.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on(
        "request",
        lambda request: (
            told.append(request.url)
            if request.url != address and not request.url.startswith("data:")
            else None
        ),
    )
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    assert not told
