import io

import defusedxml.ElementTree
import numpy as np
import resvg_py
from PIL import Image

from painting_jax.instruction.outline import outlines, sheets, svg
from painting_jax.instruction.outline.drawing import Layer, Path, Sheet
from tests.instruction.outline import scenes

_SVG = "{http://www.w3.org/2000/svg}"


def _rendered(document: str, dpi: int) -> np.ndarray:
    png = bytes(resvg_py.svg_to_bytes(svg_string=document, dpi=dpi, background="white"))
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


def test_a_square_of_100_mm_lies_at_its_millimetres():
    corners = np.array([[20, 30], [120, 30], [120, 130], [20, 130], [20, 30]], float)
    layer = Layer("square", (0, 0, 0), 0.5, (Path(corners, closed=True),))
    page_HW = _rendered(svg.document(Sheet("A1", "t", 210, 297, (layer,))), 254)
    # Ten pixels a millimetre.
    assert page_HW.shape == (2970, 2100)
    y_P, x_P = np.nonzero(page_HW < 128)
    assert (
        np.abs(
            [x_P.min(), x_P.max() + 1, y_P.min(), y_P.max() + 1]
            - np.array([197.5, 1202.5, 297.5, 1302.5])
        ).max()
        <= 1
    )


def test_a_border_is_rendered_where_the_regions_meet():
    layout = sheets.laid_out(outlines.of(scenes.disc()), title="disc")
    page_HW = _rendered(svg.document(layout.sheets[0]), 254)
    x, y = np.multiply(layout.tiling.corner(), 10)
    side = 10 * layout.tiling.painting[0]
    middle_W = page_HW[int(y + side / 2)]
    (dark_P,) = np.nonzero(middle_W < 210)
    wanted = x + side * np.array([0, 0.25, 0.75, 1])
    assert all(np.abs(dark_P - place).min() <= 5 for place in wanted)
    assert all(np.abs(wanted - place).min() <= 5 for place in dark_P)


def test_every_line_is_one_stroke_in_its_named_group():
    outline = scenes.outline_of_thirds()
    layout = sheets.laid_out(outline, numbers={7: "1"}, grid=3)
    root = defusedxml.ElementTree.fromstring(svg.document(layout.sheets[0]))
    assert (root.get("width"), root.get("height")) == ("297mm", "210mm")
    assert root.get("viewBox") == "0 0 297 210"
    groups = {group.get("id"): group for group in root.iter(f"{_SVG}g")}
    assert list(groups) == ["grid", "frame", "borders", "numbers", "cells", "foot"]
    paths = groups["borders"].findall(f"{_SVG}path")
    assert len(paths) == len(outline.lines) == len({path.get("d") for path in paths})
    assert all("C" in path.get("d") for path in paths)
    assert groups["borders"].get("fill") == "none"
    assert groups["borders"].get("stroke-width") == "0.25"
    assert groups["numbers"].find(f"{_SVG}text").text == "1"


def test_texts_are_escaped():
    title = "<script>alert('&')</script>\x07\n\uffff\ud800\""
    numbers = {7: "</text>&"}
    layout = sheets.laid_out(scenes.outline_of_thirds(), title=title, numbers=numbers)
    document = svg.document(layout.sheets[0])
    document.encode("utf-8")
    root = defusedxml.ElementTree.fromstring(document)
    assert "<script" not in document
    assert "<script>alert('&')</script>" in root.find(f"{_SVG}title").text
    assert "</text>&" in [text.text for text in root.iter(f"{_SVG}text")]


def test_the_same_outline_is_the_same_document():
    documents = {
        svg.document(sheets.laid_out(outlines.of(scenes.thirds()), grid=4).sheets[0])
        for _ in range(2)
    }
    assert len(documents) == 1
