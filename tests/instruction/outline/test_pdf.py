import numpy as np
import pypdfium2
import pytest

from painting_jax.instruction.outline import outlines, pdf, sheets
from painting_jax.instruction.outline.drawing import Layer, Path, Sheet
from tests.instruction.outline import scenes

_POINTS = 72 / 25.4  # a millimetre


def _pages(document: bytes) -> pypdfium2.PdfDocument:
    return pypdfium2.PdfDocument(document)


def _rendered(page: pypdfium2.PdfPage) -> np.ndarray:
    """Ten pixels a millimetre."""
    return np.asarray(page.render(scale=254 / 72).to_pil().convert("L"))


def test_pages_have_the_size_of_the_paper_and_a_line_its_millimetres():
    corners = np.array([[20, 30], [120, 30], [120, 130], [20, 130], [20, 30]], float)
    layer = Layer("square", (0, 0, 0), 0.5, (Path(corners, closed=True),))
    (page,) = _pages(pdf.document([Sheet("A1", "t", 215.9, 279.4, (layer,))]))
    assert page.get_mediabox() == pytest.approx((0, 0, 215.9 * _POINTS, 279.4 * _POINTS), abs=0.01)
    y_P, x_P = np.nonzero(_rendered(page) < 128)
    assert (
        np.abs(
            [x_P.min(), x_P.max() + 1, y_P.min(), y_P.max() + 1]
            - np.array([197.5, 1202.5, 297.5, 1302.5])
        ).max()
        <= 2
    )


def test_neighbouring_pages_show_the_same_in_what_they_share():
    layout = sheets.laid_out(outlines.of(scenes.disc()), "A5", width_mm=230, grid=7)
    pages = list(_pages(pdf.document(layout.sheets)))
    tiling = layout.tiling
    assert len(pages) == tiling.count == tiling.columns * tiling.rows > 1
    x, y = tiling.corner()
    left, _, _, high = tiling.window(1, 0)
    strips = []
    for column in range(2):
        # The shared centimetre, without the edges at which each window is cut.
        begin = round(10 * (left - tiling.window(column, 0)[0] + x)) + 10
        page_HW = _rendered(pages[column]).astype(int)
        strips.append(page_HW[round(10 * y) + 10 : round(10 * (y + high)) - 10, begin : begin + 80])
    assert (strips[0] < 220).mean() > 0.005
    # Half a pixel of difference in place changes shades, not places.
    assert np.abs(strips[0] - strips[1]).mean() < 4
    for strip, other in (strips, strips[::-1]):
        dark_HW = strip < 200
        near_HW = np.zeros_like(dark_HW)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                near_HW |= np.roll(other < 235, (dy, dx), (0, 1))
        assert near_HW[dark_HW].mean() > 0.98


def test_numbers_and_titles_are_text():
    layout = sheets.laid_out(
        scenes.outline_of_thirds(), numbers={7: "12", 3: "4", 5: "23"}, title="Озеро <&>"
    )
    document = _pages(pdf.document(layout.sheets))
    text = document[0].get_textpage().get_text_range()
    assert "Озеро <&>; 253 x 190 mm" in text
    assert {"12", "4", "23"} <= set(text.split())
    assert document.get_metadata_dict()["Title"] == "Озеро <&>"


def test_the_same_outline_is_the_same_bytes():
    layouts = [sheets.laid_out(outlines.of(scenes.thirds()), grid=4) for _ in range(2)]
    one, other = (pdf.document(layout.sheets) for layout in layouts)
    assert one == other
    assert b"PrintScaling" in one


def test_no_sheets_are_refused():
    with pytest.raises(ValueError, match="no sheets"):
        pdf.document([])
