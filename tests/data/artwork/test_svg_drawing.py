"""The states of an SVG are drawn on each other, and are the same as drawn from nothing."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from painting_jax.data.artwork import svg, svg_drawing, svg_layers, svg_renderer


def shapes(number, size=60, seed=0, extra=""):
    rng = np.random.default_rng(seed)
    for i in range(number):
        x, y, radius = rng.uniform((0, 0, 5), (640, 320, size))
        colour = "#" + rng.integers(0, 256, 3, np.uint8).tobytes().hex()
        stroke = f'stroke="{colour}" fill="none" stroke-width="{radius / 4:.1f}"'
        paint = f'fill="{colour}" fill-opacity="0.6"' if i % 2 else stroke
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {paint} {extra}/>'


def opened(tmp_path, content, attributes='viewBox="0 0 640 320"'):
    path = tmp_path / "a.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{content}</svg>')
    return svg.open_svg(path)


def from_nothing(art, indices):
    with svg_renderer.Renderer() as renderer:
        for index in indices:
            document = svg_drawing.Drawing(art.root, art.drawn, renderer).document(0, index)
            picture = renderer.render(document, False)
            yield np.array(Image.open(io.BytesIO(picture)).convert("RGB"))


BLEND = 'style="mix-blend-mode:multiply" opacity="0.8"'
CLIP = '<clipPath id="c"><circle cx="300" cy="150" r="120"/></clipPath>'
GROUPS = {
    "no group": "".join(shapes(40)),
    "plain groups": f"<g transform='rotate(3)'>{''.join(shapes(30))}</g>{''.join(shapes(9))}",
    "an opacity": f"{''.join(shapes(9))}<g opacity='.5'>{''.join(shapes(20))}</g>"
    f"{''.join(shapes(9, seed=1))}",
    "a clip path": f"{CLIP}<g><g clip-path='url(#c)'>{''.join(shapes(20))}</g>"
    f"<g style='opacity:1'>{''.join(shapes(9))}</g></g>",
    "blend modes": "".join(shapes(30, extra=BLEND)),
    "a class": f"<style>.b, #x .a{{opacity:.4}}</style><g class='a'>{''.join(shapes(20))}</g>"
    f"<g class='c'>{''.join(shapes(9))}</g>",
    "a style of every picture": f"<style>image{{opacity:.4}}</style>{''.join(shapes(20))}",
    "an intricate style": "<style>g > circle:first-child{opacity:.4}</style>"
    f"<g>{''.join(shapes(20))}</g>",
    "uses of later shapes": "<use href='#b' x='50'/>"
    + "".join(shapes(12))
    + "<circle id='b' r='90' cx='200' cy='90' fill='red' opacity='.5'/>"
    + "".join(shapes(12, seed=1)),
}


@pytest.mark.parametrize("name", GROUPS)
def test_states_are_those_drawn_from_nothing(tmp_path, monkeypatch, name):
    monkeypatch.setattr(svg_drawing, "FEW", 3)
    art = opened(tmp_path, GROUPS[name])
    indices = sorted({*range(1, len(art), 4), len(art) - 1})
    for one, other in zip(art.pictures(indices), from_nothing(art, indices), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "attributes",
    [
        'viewBox="13.37 -7.1 123.4567 61.7283"',
        'viewBox="0 0 640 320" width="600" height="600"',
        'viewBox="0 0 640 320" width="300" height="200" preserveAspectRatio="xMinYMax slice"',
    ],
)
def test_states_are_those_drawn_from_nothing_in_any_box(tmp_path, monkeypatch, attributes):
    monkeypatch.setattr(svg_drawing, "FEW", 3)
    art = opened(tmp_path, "".join(shapes(12)), attributes)
    for one, other in zip(art.pictures([5, 9, 12]), from_nothing(art, [5, 9, 12]), strict=True):
        np.testing.assert_array_equal(one, other)


class _Counting(svg_renderer.Renderer):
    """Counts documents, and the shapes that are drawn in them."""

    documents = shapes = 0

    def render(self, document, has_text):
        root = ElementTree.fromstring(document)
        hidden = sum(len(list(one.iter())) - 1 for one in root.iter("{*}defs"))
        drawn = [one for one in root.iter() if one.tag.endswith("}circle")]
        self.documents += 1
        self.shapes += len(drawn) - hidden
        return super().render(document, has_text)


def test_thousands_of_shapes_on_two_million_pixels_are_drawn_about_once(tmp_path):
    """From nothing, 8 states of 3000 shapes take 12,000 shapes, and 128 states 190,000."""
    art = opened(tmp_path, f"<g>{''.join(shapes(3000, size=8))}</g>", 'viewBox="0 0 2000 1000"')
    assert art.size == (1000, 2000)
    with _Counting() as renderer:
        drawing = svg_drawing.Drawing(art.root, art.drawn, renderer)
        for count in np.linspace(1, 3000, 8).round().astype(int):
            drawing.state(count)
    few = svg_drawing.FEW * 8
    assert 3000 <= renderer.shapes <= 3000 + few
    assert renderer.documents <= 2 * 8 + 1 + 3000 // svg_drawing.AT_ONCE


def test_a_canvas_is_finished_where_no_layer_is_half_drawn(tmp_path):
    one, two = "".join(shapes(1)), "".join(shapes(2))
    art = opened(tmp_path, f"{one}<g opacity='.5'>{two}<g>{one}</g></g><g>{two}</g>")
    assert svg_layers.finished(art.root, art.drawn) == [0, 1, 1, 1, 4, 5, 6]


def test_a_document_that_is_one_layer_is_finished_at_its_end(tmp_path):
    art = opened(tmp_path, "".join(shapes(3)), 'viewBox="0 0 640 320" opacity="0.5"')
    assert svg_layers.finished(art.root, art.drawn) == [0, 0, 0, 3]
