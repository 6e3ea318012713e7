"""The tutorial in a browser, opened from disk and without a network."""

import io

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect
from skimage import data

from painting_jax.data import painter, pictures
from painting_jax.instruction import tutorial
from tests import browsers

HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def browser():
    with browsers.browser() as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    photo_HWC = pictures.shrunk(data.chelsea(), 160)
    painting = painter.paint(photo_HWC, "oil", frames=17, seed=0)
    written = tutorial.files(
        painting.frames_THWC, photo_HWC, name=HOSTILE, medium={"oil": 1.0}, model="a model"
    )
    path = tmp_path_factory.mktemp("page") / "tutorial.html"
    path.write_bytes(written["tutorial.html"])
    return path.as_uri()


def shown(page) -> Image.Image:
    """What the viewer's canvas looks like."""
    return Image.open(io.BytesIO(page.locator("#sheet").screenshot())).convert("RGB")


def test_the_process_is_scrubbed_by_keyboard(browser, address):
    with browsers.opened(browser, address) as page:
        assert page.title() != "1"
        told = page.locator("#told")
        assert "100 %" in told.text_content()
        finished = shown(page)
        page.keyboard.press("Home")
        assert "0 % of the time" in told.text_content()
        assert shown(page).tobytes() != finished.tobytes()
        page.keyboard.press("PageDown")
        first = int(page.locator("#scrub").input_value())
        assert first > 0
        page.keyboard.press("ArrowRight")
        assert int(page.locator("#scrub").input_value()) == first + 1
        page.keyboard.press("End")
        assert shown(page).tobytes() == finished.tobytes()


def test_playing_ends_with_the_finished_picture(browser, address):
    with browsers.opened(browser, address) as page:
        page.keyboard.press("Home")
        page.keyboard.press(" ")
        assert page.locator("#play").text_content() == "Pause"
        expect(page.locator("#play")).to_have_text("Play", timeout=20000)
        assert page.locator("#scrub").input_value() == "16"


def test_the_viewer_shows_values_mirrors_and_a_grid(browser, address):
    with browsers.opened(browser, address) as page:
        plain = shown(page)
        page.keyboard.press("v")
        greys = shown(page).getcolors(1 << 20)
        # And what lies behind the rounded corners.
        common = {colour for count, colour in greys if count > 400 and len(set(colour)) == 1}
        assert common <= {(0, 0, 0), (127, 127, 127), (128, 128, 128), (255, 255, 255)}
        page.keyboard.press("v")
        page.keyboard.press("v")
        page.keyboard.press("m")
        mirrored = shown(page).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        near = sum(
            abs(a - b)
            for a, b in zip(
                plain.resize((40, 30)).tobytes(), mirrored.resize((40, 30)).tobytes(), strict=True
            )
        )
        assert near / 3600 < 4
        page.locator("#cells").select_option("4")
        assert "A1" in page.locator("#grid").text_content()


def test_a_colour_is_picked_and_paints_are_changed(browser, address):
    with browsers.opened(browser, address) as page:
        page.locator("#canvas").click(position={"x": 60, "y": 60})
        assert "nearest to colour" in page.locator("#picked").text_content()
        before = page.locator("#palette tbody").text_content()
        page.locator("#paints").select_option(index=2)
        assert page.locator("#palette tbody").text_content() != before


def test_what_changed_is_outlined_on_request(browser, address):
    with browsers.opened(browser, address) as page:
        step = page.locator("#step3")
        assert step.locator("svg").is_visible()
        step.locator("input[type=checkbox]").uncheck()
        assert not step.locator("svg").is_visible()


@pytest.mark.parametrize("width", [320, 768, 3840])
def test_it_fits_every_screen(browser, address, width):
    with browsers.opened(browser, address, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_accessible(browser, address):
    with browsers.opened(browser, address) as page:
        found = Axe().run(page).response["violations"]
    assert [(fault["id"], fault["impact"]) for fault in found] == []


def test_it_prints_to_a_tidy_document(browser, address):
    with browsers.opened(browser, address) as page:
        document = pypdfium2.PdfDocument(page.pdf(format="A4", print_background=True))
    assert 3 <= len(document) <= 10
    texts = [sheet.get_textpage().get_text_range() for sheet in document]
    assert "Step 1" in texts[0]
    assert any("Palette" in text for text in texts)
    assert not any("Squint" in text for text in texts)
