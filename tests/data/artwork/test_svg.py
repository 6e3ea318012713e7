"""An SVG is read shape by shape, nothing outside it is read, and what it asks for is bounded."""

import base64
import gzip
import io
import pathlib
import time

import numpy as np
import pytest
from PIL import Image

from painting_jax.data.artwork import svg, svg_document, svg_drawing, svg_renderer
from painting_jax.data.artwork.svg import open_svg
from painting_jax.errors import UserError

WHITE = (255, 255, 255)
RED = (255, 0, 0)


@pytest.fixture
def written(tmp_path):
    """Writes the content of a 640x640 SVG to a file and returns its path."""

    def write(content, attributes='width="640" height="640"', name="a.svg"):
        path = tmp_path / name
        path.write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f"{attributes}>{content}</svg>",
            encoding="utf-8",
        )
        return path

    return write


def square(x, y=0, side=320, **attributes):
    stated = "".join(f" {name}='{value}'" for name, value in ({"fill": "red"} | attributes).items())
    return f'<rect x="{x}" y="{y}" width="{side}" height="{side}"{stated}/>'


def states(path):
    opened = open_svg(path)
    return list(opened.pictures(range(len(opened))))


def last(path):
    opened = open_svg(path)
    return next(opened.pictures([len(opened) - 1]))


def refusal(path):
    with pytest.raises(UserError) as error:
        last(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def grid(number, across, width, height):
    """Squares in rows, each of another colour, and what colours they have."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 200, (number, 3))
    down = number // across
    shapes = (
        f'<rect x="{i % across * width / across}" y="{i // across * height / down}" '
        f'width="{width / across}" height="{height / down}" fill="rgb({r},{g},{b})"/>'
        for i, (r, g, b) in enumerate(colours)
    )
    return "".join(shapes), colours


def test_of_200_shapes_the_first_k_are_drawn_after_k_states(written):
    shapes, colours = grid(200, across=20, width=640, height=320)
    opened = open_svg(written(f"<g>{shapes}</g>", 'viewBox="0 0 640 320"'))
    assert len(opened) == 201
    indices = [0, 1, 2, 20, 99, 150, 199, 200]
    for index, picture in zip(indices, opened.pictures(indices), strict=True):
        assert picture.dtype == np.uint8
        expected = np.full((200, 3), 255)
        expected[:index] = colours[:index]
        squares = expected.reshape(10, 20, 3).repeat(32, 0).repeat(32, 1)
        np.testing.assert_array_equal(picture, squares)


def test_two_million_pixels_of_svg_art_are_read_in_bounded_time(written, capsys):
    shapes, _ = grid(200, across=20, width=1600, height=1250)
    opened = open_svg(written(shapes, 'width="1600" height="1250"'))
    start = time.perf_counter()
    read = [picture.shape for picture in opened.pictures(np.linspace(0, 200, 33).astype(int))]
    with capsys.disabled():
        print(f"\n33 states of 1600x1250: {time.perf_counter() - start:.2f} s")
    assert read == [(1250, 1600, 3)] * 33


def test_shapes_come_in_document_order_through_groups_and_not_from_definitions(written):
    path = written(
        f"<defs>{square(0)}</defs><symbol>{square(0)}</symbol><clipPath>{square(0)}</clipPath>"
        f"<g><a>{square(0, 0)}</a><svg><g>{square(320, fill='blue')}</g></svg></g>"
        f"{square(0, 320, fill='lime')}"
    )
    places = (9, 9), (9, 600), (600, 9)
    at = [[tuple(picture[place]) for place in places] for picture in states(path)]
    blue, green = (0, 0, 255), (0, 255, 0)
    assert at == [[WHITE] * 3, [RED, WHITE, WHITE], [RED, blue, WHITE], [RED, blue, green]]


def test_shapes_that_are_not_displayed_are_not_counted(written):
    path = written(
        "<style>.off, .away {fill:red; display : none;}</style>"
        f'<g display="none">{square(0)}</g><g style="display:none">{square(0)}</g>'
        f'<g class="x off">{square(0)}</g>{square(0)}'
    )
    assert len(open_svg(path)) == 2


def test_of_a_switch_one_alternative_is_drawn(written):
    path = written(
        '<switch><foreignObject requiredExtensions="ai"/>'
        f"{square(0, systemLanguage='de')}{square(0)}{square(320)}</switch>"
    )
    _, picture = states(path)
    assert tuple(picture[9, 9]) == RED
    assert tuple(picture[9, 600]) == WHITE


def test_a_group_keeps_its_opacity_and_its_clip_path_in_every_state(written):
    path = written(
        f'<clipPath id="left">{square(0, side=100)}</clipPath>'
        f'<g opacity="0.5" clip-path="url(#left)">{square(0)}{square(0)}</g>'
    )
    _, first, second = states(path)
    assert tuple(first[50, 50]) == tuple(second[50, 50]) == (255, 128, 128)
    assert tuple(first[200, 200]) == WHITE


def test_a_shape_that_uses_a_later_one_is_drawn_before_it(written):
    path = written(f'<use xlink:href="#later" x="320"/>{square(0, id="later")}')
    _, first, second = states(path)
    assert tuple(first[9, 600]) == tuple(second[9, 600]) == RED
    assert tuple(first[9, 9]) == WHITE
    assert tuple(second[9, 9]) == RED


@pytest.mark.parametrize("family", ["", "Font that nobody has", "monospace"])
def test_text_is_drawn_whatever_fonts_there_are(written, family):
    text = f'<text x="20" y="400" font-size="300" font-family="{family}">MM</text>'
    assert (last(written(text)) < 128).any()


@pytest.mark.parametrize(
    ("attributes", "height", "width"),
    [
        ('width="1600" height="1250"', 1250, 1600),
        ('width="16" height="12.5"', 400, 512),
        ('width="90000" height="45000"', 1024, 2048),
        ('viewBox="5 5 600 1200"', 1200, 600),
        ('width="100%" height="100%" viewBox="0,0,700,350"', 350, 700),
        ('width="10in" viewBox="0 0 2 1"', 480, 960),
        ('height="254mm" viewBox="0 0 2 1"', 960, 1920),
    ],
)
def test_the_size_is_that_of_the_document_within_512_to_2048_pixels(
    written, attributes, height, width
):
    path = written('<rect x="-50%" y="-50%" width="200%" height="200%"/>', attributes)
    picture = last(path)
    assert picture.shape == (height, width, 3)
    assert (picture == 0).all()


@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ("", "no size"),
        ('width="100"', "no size"),
        ('width="0" height="10"', "no size"),
        ('width="-5" height="nan"', "no size"),
        ('viewBox="0 0 1e999 1"', "no size"),
        ('viewBox="0 0 1e-320 1e-320"', "no size"),
        ('width="1e308" height="1e308"', "no size"),
        (f'width="{"9" * 10**6}" height="1"', "no size"),
        ('width="100" height="3"', "16 times"),
    ],
)
def test_an_svg_without_a_usable_size_is_refused(written, attributes, wrong):
    assert wrong in refusal(written(square(0), attributes))


def test_a_compressed_svg_with_a_name_in_any_script_is_read(written, tmp_path):
    packed = tmp_path / "絵 Ölbild 🎨.svgz"
    packed.write_bytes(gzip.compress(written(square(0)).read_bytes()))
    assert tuple(last(packed)[9, 9]) == RED
    empty = written("", name="空.svg")
    assert "空.svg draws nothing" in refusal(empty)


def test_an_svg_with_names_and_prefixes_of_a_drawing_program_is_read(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
        '"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
        '<s:svg xmlns:s="http://www.w3.org/2000/svg" xmlns:i="urn:i" viewBox="0 0 640 640">'
        '<i:view><s:rect/></i:view><s:g i:label="層"><s:rect id="é" width="640" height="640" '
        'fill="red"/></s:g></s:svg>',
        encoding="utf-8",
    )
    assert len(open_svg(path)) == 2
    assert (last(path) == RED).all()


def embedded(image, kind="png"):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def image_of(href):
    return f'<image width="640" height="640" xlink:href="{href}"/>'


def test_an_embedded_picture_is_a_shape_and_others_are_not(written, tmp_path):
    red = Image.new("RGB", (8, 8), "red")
    assert tuple(last(written(image_of(embedded(red))))[320, 320]) == RED
    red.save(tmp_path / "red.png")
    inner = base64.b64encode(written(square(0)).read_bytes()).decode()
    for href in (
        str(tmp_path / "red.png"),
        "red.png",
        (tmp_path / "red.png").as_uri(),
        "http://localhost/red.png",
        f"data:image/svg+xml;base64,{inner}",
        f"data:image/png;base64,{inner}",
        "data:image/png;base64,AAAA",
    ):
        opened = open_svg(written(image_of(href) + square(0)))
        assert len(opened) == 2, href
        assert tuple(last(written(image_of(href) + square(0, fill="none")))[320, 320]) == WHITE


def test_an_embedded_picture_of_a_hundred_megapixels_is_refused(written):
    path = written(image_of(embedded(Image.new("1", (10_000, 10_000)))))
    assert "megapixels" in refusal(path)


def test_references_to_other_files_have_no_effect(written):
    path = written(
        "<style>@import url(http://localhost/a.css); rect {mask: url('b.svg#m')}</style>"
        "<script>x</script><foreignObject><p/></foreignObject>"
        '<use href="other.svg#a"/><a href="http://localhost"><filter id="f">'
        '<feImage href="/etc/passwd"/></filter></a>'
        f"{square(0, style='clip-path: URL( &quot;c.svg#c&quot;)')}"
    )
    opened = open_svg(path)
    with svg_renderer.Renderer() as renderer:
        document = svg_drawing.Drawing(opened.root, opened.drawn, renderer).document(0, 1)
    for outside in ("import", "localhost", "script", "foreign", "passwd", "other.svg"):
        assert outside not in document
    assert "url('b" not in document
    assert tuple(last(path)[9, 9]) == RED


ENTITY = '<!DOCTYPE svg [<!ENTITY a {}>]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>'


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (ENTITY.format('SYSTEM "file:///etc/passwd"'), "entities"),
        (ENTITY.format('"lol"'), "entities"),
        ("<svg>" * 10**6, "deeper than 100"),
        ("<svg>" + "<g/>" * 200_000 + "</svg>", "200000 elements"),
        ("<svg>" + "<path/>" * 20_001 + "</svg>", "20000"),
        ("<html/>", "no SVG"),
        ("", "no SVG"),
        ("<svg", "no SVG"),
        ('<?xml version="1.0" encoding="nonsense"?><svg/>', "no SVG"),
        ("<svg>&undefined;</svg>", "no SVG"),
    ],
)
def test_what_is_hostile_or_damaged_is_refused_in_a_line(tmp_path, text, wrong):
    path = tmp_path / "a.svg"
    path.write_text(text)
    assert wrong in refusal(path)


def test_what_unpacks_to_too_much_or_is_cut_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(svg_document, "MOST_BYTES", 10**5)
    path = tmp_path / "a.svgz"
    path.write_bytes(gzip.compress(b"<svg>" + bytes(10**6)))
    assert "too large" in refusal(path)
    path.write_bytes(gzip.compress(b"<svg></svg>")[:-9])
    assert "damaged" in refusal(path)
    path.write_bytes(bytes(10**5 + 1))
    assert "too large" in refusal(path)
    assert "cannot be read" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "missing.svg")


def uses(levels, each):
    groups = "".join(
        f'<g id="a{i}">' + f'<use href="#a{i - 1}"/>' * each + "</g>" for i in range(1, levels + 1)
    )
    return f'<defs><g id="a0">{square(0)}</g>{groups}</defs><use href="#a{levels}"/>'


def test_uses_of_uses_are_bounded(written):
    assert len(open_svg(written(uses(4, 10)))) == 2
    assert "100000 are drawn" in refusal(written(uses(40, 10)))
    assert "deeper than 100" in refusal(written(uses(1000, 1)))
    circle = f'<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>{square(0)}'
    assert "refers to itself" in refusal(written(circle))
    pattern = f'<pattern id="p">{square(0, style="fill:url(#p)")}</pattern>{square(0)}'
    assert "refers to itself" in refusal(written(pattern))


def test_the_deepest_document_that_is_read_is_rendered(written):
    nested = "<g opacity='0.99'>" * 98 + square(0) + "</g>" * 98
    last(written(nested))
    last(written(uses(47, 1)))


def test_what_takes_hours_or_all_memory_to_draw_is_refused(written, monkeypatch, tmp_path):
    # The bounds of the process are read from its file: a copy has smaller ones.
    program = tmp_path / "svg_renderer.py"
    text = pathlib.Path(svg_renderer.__file__).read_text(encoding="utf-8")
    program.write_text(text.replace("SECONDS = 20", "SECONDS = 1").replace("4 << 30", "1 << 29"))
    monkeypatch.setattr(svg_renderer, "__file__", str(program))
    dashes = '<path d="M0 0L640 640" stroke="red" stroke-width="300" stroke-dasharray="0.001"/>'
    assert "s to draw" in refusal(written(dashes))
    tile = '<pattern id="p" patternUnits="userSpaceOnUse" width="20000" height="20000">'
    path = written(f"{tile}{square(0, side=15000)}</pattern>{square(0, fill='url(#p)')}")
    assert "of memory" in refusal(path)


def test_a_panic_of_the_renderer_is_a_refusal(written):
    line = '<path d="M-1e38 -1e38 L1e38 1e38 L1e30 -1e38Z" stroke="red" stroke-width="1e30"/>'
    path = written(f'<g>{line}</g><circle r="1e30"/>')
    assert "damaged" in refusal(path)


def test_states_can_be_read_twice_at_once(written):
    opened = open_svg(written(square(0) + square(320)))
    first, second = opened.pictures([1, 2]), opened.pictures([2])
    one = next(first)
    two = next(second)
    np.testing.assert_array_equal(next(first), two)
    assert (one != two).any()
    assert max(two.shape) >= svg.SHORTEST
