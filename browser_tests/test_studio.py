"""What a person does in the studio, done in a browser."""

import pathlib

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect
from skimage import transform

from browser_tests.conftest import Program, fetched

_LONG = 100  # sampling steps, which take half a minute
_WIDTHS = {360: 740, 768: 1024, 1440: 900}


def choose(page: Page, picture: pathlib.Path) -> None:
    """Sends a picture, and waits for its regions."""
    page.locator(".begin input[type=file]").set_input_files(picture)
    expect(page.locator(".chips li").first).to_be_visible()


def ask(page: Page, *, frames: int = 4, steps: int = 2) -> str:
    """Has the picture painted, and returns the address of the painting."""
    process = page.locator("details.block", has=page.get_by_text("Process", exact=True))
    if process.get_attribute("open") is None:
        process.locator("summary").click()
    page.get_by_label("Steps of the process").fill(str(frames))
    page.get_by_label("Sampling steps").fill(str(steps))
    page.get_by_role("button", name="Paint", exact=False).last.click()
    page.wait_for_url("**/#/work/*")
    return page.url


def is_done(page: Page) -> None:
    """Waits until the video is shown."""
    expect(page.locator(".result video")).to_be_visible(timeout=90_000)


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.mark.parametrize("width", [360, 768, pytest.param(1440, marks=pytest.mark.chief)])
def test_a_picture_is_dropped_painted_watched_cancelled_and_painted_again(visit, cat, width):
    page = visit(width, _WIDTHS[width])
    page.locator(".drop").wait_for()
    # As a file manager drops it.
    data = cat.read_bytes().hex()
    page.evaluate(
        """([hex, name]) => {
          const bytes = Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
          const dropped = new DataTransfer();
          dropped.items.add(new File([bytes], name, { type: "image/png" }));
          document.querySelector(".drop").dispatchEvent(
            new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
        }""",
        [data, cat.name],
    )
    expect(page.locator(".chips li").first).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(cat.name)
    assert overflow(page) <= 0
    page.reload()
    expect(page.locator(".chips li").first).to_be_visible()
    address = ask(page, steps=_LONG)
    bar = page.locator(".progress [role=progressbar]")
    expect(page.locator(".progress .stage")).to_contain_text("step", timeout=60_000)
    first = int(bar.get_attribute("aria-valuenow"))
    page.wait_for_function(
        "least => Number(document.querySelector('.progress .bar').ariaValueNow) > least", arg=first
    )
    # In the middle.
    page.reload()
    assert page.url == address
    expect(page.locator(".progress .stage")).to_contain_text(f"of {_LONG}")
    assert overflow(page) <= 0
    page.locator(".progress").get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("This painting was cancelled")).to_be_visible()
    page.get_by_role("link", name="Change it").click()
    expect(page.locator(".chips li").first).to_be_visible()
    ask(page, steps=2)
    is_done(page)
    assert overflow(page) <= 0
    page.get_by_label("Step by step").fill("1")
    expect(page.locator(".steps output")).to_contain_text("2 of 4")
    page.get_by_role("link", name="Gallery").click()
    expect(page.locator(".grid li").first).to_contain_text(cat.name)
    assert overflow(page) <= 0


@pytest.mark.chief
def test_the_tutorial_opens_and_stays_in_its_sandbox(visit, cat):
    page = visit()
    choose(page, cat)
    ask(page)
    is_done(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the tutorial").click()
    tutorial = opened.value
    tutorial.wait_for_load_state()
    expect(tutorial.locator("h1")).to_contain_text("<img src=x onerror=alert(1)>")
    assert tutorial.evaluate("origin") == "null"
    # Its script runs, and its pictures are there.
    assert tutorial.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    expect(tutorial.locator("#print")).to_be_visible()


def test_chips_are_dragged_moved_by_keys_split_and_merged(visit, cat):
    page = visit()
    choose(page, cat)
    numbers = lambda: page.locator(".chips li").evaluate_all(  # noqa: E731
        "items => items.map((item) => item.dataset.number)"
    )
    before = numbers()
    page.locator(".chips li").first.drag_to(page.locator(".chips li").last)
    dragged = numbers()
    assert dragged == [*before[1:], before[0]]
    page.locator(".chips button").last.press("ArrowLeft")
    assert numbers().index(before[0]) == len(before) - 2
    box = page.locator(".regions .stage").bounding_box()
    page.locator(".regions .stage").click(position={"x": box["width"] / 2, "y": 12})
    page.get_by_role("button", name="Split here").click()
    expect(page.locator(".chips li")).to_have_count(len(before) + 1)
    page.get_by_role("button", name="Merge with").click()
    page.locator(".chips button").last.click()
    expect(page.locator(".chips li")).to_have_count(len(before))
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".chips li")).to_have_count(len(before) + 1)
    ask(page)
    is_done(page)
    expect(page.get_by_role("link", name="Map of your regions")).to_be_visible()


def test_sliders_of_media_always_sum_to_the_whole(visit, cat):
    page = visit()
    choose(page, cat)
    page.get_by_label("pencil", exact=True).fill("30")
    assert page.get_by_label("oil", exact=True).input_value() == "70"
    page.get_by_label("ink", exact=True).fill("50")
    assert [page.get_by_label(name, exact=True).input_value() for name in ("oil", "pencil")] == [
        "35",
        "15",
    ]
    page.get_by_label("watercolor alone").click()
    assert page.get_by_label("watercolor", exact=True).input_value() == "100"
    assert page.get_by_label("ink", exact=True).input_value() == "0"


@pytest.mark.chief
def test_two_people_wait_for_each_other(visit, cat):
    one, other = visit(), visit(768, 1024)
    choose(one, cat)
    choose(other, cat)
    first = ask(one, steps=40)
    second = ask(other, steps=2)
    assert first != second
    expect(other.locator(".progress .stage")).to_contain_text("1 before it")
    expect(one.locator(".queue li")).to_have_count(2)
    is_done(one)
    is_done(other)
    expect(one.locator(".queue li")).to_have_count(0)


@pytest.mark.chief
def test_the_rest_is_painted_from_the_photo_of_a_canvas(visit, studio, tmp_path):
    picture = tmp_path / "pagoda.jpg"
    from sklearn.datasets import load_sample_image  # noqa: PLC0415

    Image.fromarray(load_sample_image("china.jpg")).resize((240, 160)).save(picture, quality=92)
    page = visit()
    choose(page, picture)
    address = ask(page, frames=9, steps=2)
    is_done(page)
    key = address.rpartition("/")[2]
    (tmp_path / "step.png").write_bytes(fetched(f"{studio.address}/works/{key}/steps/05.png"))
    canvas = Image.open(tmp_path / "step.png").convert("RGB").resize((480, 320))
    corners_42 = np.array([(70, 50), (540, 80), (520, 400), (90, 380)], float)
    whole_42 = np.array([(0, 0), (480, 0), (480, 320), (0, 320)], float)
    there = transform.ProjectiveTransform.from_estimate(corners_42, whole_42).params
    bent = (640, 460), Image.Transform.PERSPECTIVE, (there / there[2, 2]).ravel()[:8]
    photo = Image.new("RGB", (640, 460), (118, 96, 70))
    photo.paste(canvas.transform(*bent), mask=Image.new("L", canvas.size, 255).transform(*bent))
    photo.save(tmp_path / "photo.jpg", quality=92)

    page.get_by_role("link", name="Go on from a photo of your canvas").click()
    page.locator(".canvas-photo input[type=file]").set_input_files(tmp_path / "photo.jpg")
    expect(page.locator(".reading .step")).to_contain_text("Step 6 of 9")
    handle = page.get_by_role("button", name="Corner at the top left")
    at = handle.evaluate("it => [parseFloat(it.style.left), parseFloat(it.style.top)]")
    np.testing.assert_allclose(at, (100 * 70 / 640, 100 * 50 / 460), atol=2.5)
    # A corner that is dragged away changes what is seen, and one that is put back does not stay.
    box = handle.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 60, steps=4)
    seen = page.locator(".pair img").first.get_attribute("src")
    page.mouse.up()
    page.wait_for_function(
        "before => document.querySelector('.pair img')?.src !== before", arg=seen
    )
    page.get_by_role("button", name="Paint the rest").click()
    page.wait_for_url("**/#/work/*")
    is_done(page)
    expect(page.locator(".steps output")).to_contain_text("100 %")


def test_what_is_no_picture_or_too_large_is_said_on_the_page(visit, tmp_path):
    page = visit(360, 740, minds_errors=False)
    (tmp_path / "bomb.jpg").write_bytes(b"PK\3\4" + bytes(2000))
    page.locator(".begin input[type=file]").set_input_files(tmp_path / "bomb.jpg")
    expect(page.locator(".drop .hint")).to_contain_text("is not a picture")
    assert str(tmp_path) not in page.inner_text("body")
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(500 << 20)
    page.locator(".begin input[type=file]").set_input_files(tmp_path / "large.jpg")
    expect(page.locator(".drop .hint")).to_contain_text("A picture may have at most 64 MB")


def test_a_connection_that_is_cut_comes_back_and_a_killed_studio_loses_nothing(visit, studio, cat):
    page = visit(minds_errors=False)
    choose(page, cat)
    done = ask(page)
    is_done(page)
    page.get_by_role("link", name="Paint", exact=True).click()
    choose(page, cat)
    ask(page, steps=_LONG)
    expect(page.locator(".progress .stage")).to_contain_text("step", timeout=60_000)
    studio.kill()
    expect(page.locator("#link")).to_contain_text("no connection", timeout=20_000)
    studio.start()
    expect(page.get_by_text("This painting was interrupted")).to_be_visible(timeout=20_000)
    expect(page.locator("#link")).to_have_text("", timeout=20_000)
    page.get_by_role("button", name="Paint it again").click()
    expect(page.locator(".progress .stage")).to_contain_text("step", timeout=60_000)
    page.locator(".progress").get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("This painting was cancelled")).to_be_visible()
    page.goto(done)
    page.reload()
    is_done(page)


def test_everything_can_be_reached_by_the_keyboard(visit, cat):
    page = visit()
    choose(page, cat)
    reached = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.labels?.[0] || document.activeElement).textContent.trim()"
            )
        )
    assert {"oil", "Manner", "Go on from your own canvas", "Process", "Paint"} <= reached
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, input, select, a")]
          .filter((it) => !it.closest("[hidden]") && !(it.labels?.length) &&
            !it.getAttribute("aria-label") && !it.textContent.trim() && !it.title).length"""
    )
    assert unnamed == 0


def test_a_password_is_asked_and_kept_for_the_browser(browser, tmp_path):
    program = Program(tmp_path, PAINTING_JAX_STUDIO_PASSWORD="correct horse")
    context = browser.new_context(viewport={"width": 360, "height": 740})
    try:
        page = context.new_page()
        page.goto(program.address)
        page.get_by_label("Password").fill("wrong horse")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("this is not the password")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("Drop a picture")).to_be_visible()
        page.reload()
        expect(page.get_by_text("Drop a picture")).to_be_visible()
        # A studio that was started again has forgotten it, and the page asks.
        program.kill()
        program.start()
        expect(page.get_by_label("Password")).to_be_visible(timeout=40_000)
    finally:
        context.close()
        program.kill()


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_no_rule_of_accessibility_is_broken(visit, cat, width, colours):
    page = visit(width, _WIDTHS[width])
    page.emulate_media(color_scheme=colours)

    def check() -> None:
        told = Axe().run(page).response
        assert len(told["passes"]) > 10
        assert not [
            (one["id"], [node["html"] for node in one["nodes"]]) for one in told["violations"]
        ]

    page.locator(".drop").wait_for()
    check()
    choose(page, cat)
    page.locator(".chips button").first.click()
    for block in page.locator("details.block > summary").all():
        block.click()
    check()
    ask(page, frames=2)
    is_done(page)
    check()
    page.get_by_role("link", name="Gallery").click()
    page.locator(".grid li").first.wait_for()
    check()
