"""Layers of OpenRaster pictures appear one after another, composed as W3C says."""

import io
import itertools
import random
import struct
import zipfile
import zlib
from unittest import mock

import numpy as np
import pytest
from PIL import Image, ImageChops

from painting_jax.data import remarks
from painting_jax.data.artwork import archive, ora
from painting_jax.errors import UserError
from tests.data.artwork.layered import all_states, assert_close, over_white, patch

WIDTH, HEIGHT = 40, 32


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def layer(name, **attributes):
    attributes = {key.replace("_", "-"): value for key, value in attributes.items()}
    stated = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<layer name="{name}" src="data/{name}.png"{stated}/>'


def write(path, stack, members, width=WIDTH, height=HEIGHT, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("mimetype", "image/openraster")
        file.writestr(
            "stack.xml", f'<image w="{width}" h="{height}"><stack>{stack}</stack></image>'
        )
        for name, image in members.items():
            data = image if isinstance(image, bytes) else png(image)
            file.writestr(f"data/{name}.png", data)
    return path


def picture(path):
    """A layered picture with all that a painter uses, the top layer first."""
    stack = (
        layer("guides", visibility="hidden")
        + f'<stack opacity="0.4">{layer("fog", x=3)}{layer("mist", y=2)}</stack>'
        + f'<stack isolation="isolate" x="2">{layer("shade", composite_op="svg:multiply", x=4)}'
        f"{layer('skin', x=3, y=3)}</stack>"
        + f"<stack>{layer('glaze', composite_op='svg:overlay', x=9)}{layer('line', y=7)}</stack>"
        + layer("light", composite_op="svg:screen", opacity=0.5, x=-6, y=-4)
        + layer("ground")
    )
    names = ["ground", "light", "line", "glaze", "skin", "shade", "mist", "fog", "guides"]
    members = {name: patch(seed) for seed, name in enumerate(names)}
    members["ground"] = patch(0, (WIDTH, HEIGHT), opaque=True)
    return write(path, stack, members)


def states(path):
    return all_states(ora.open_ora(path))


def placed(image, x=0, y=0):
    whole = Image.new("RGBA", (WIDTH, HEIGHT))
    whole.paste(image, (x, y))
    return whole


def test_normal_layers_appear_as_pillow_composes_them(tmp_path):
    stack = layer("c", x=20, y=15) + layer("b", x=-5, y=4) + layer("a", x=3, y=-6)
    images = {name: patch(seed) for seed, name in enumerate("abc")}
    found = states(write(tmp_path / "a.ora", stack, images))
    canvas = placed(Image.new("RGBA", (1, 1)))
    assert (found[0] == 255).all()
    for state, (name, x, y) in zip(
        found[1:], [("a", 3, -6), ("b", -5, 4), ("c", 20, 15)], strict=True
    ):
        canvas = Image.alpha_composite(canvas, placed(images[name], x, y))
        assert_close(state, over_white(canvas))


@pytest.mark.parametrize(
    ("operation", "composed"),
    [
        ("multiply", ImageChops.multiply),
        ("screen", ImageChops.screen),
        ("darken", ImageChops.darker),
        ("lighten", ImageChops.lighter),
        ("difference", ImageChops.difference),
        ("plus", ImageChops.add),
        ("overlay", ImageChops.overlay),
        ("hard-light", ImageChops.hard_light),
    ],
)
def test_opaque_layers_blend_as_pillow_blends_them(tmp_path, operation, composed):
    below, above = (patch(seed, (WIDTH, HEIGHT), opaque=True) for seed in (1, 2))
    stack = layer("b", composite_op=f"svg:{operation}") + layer("a")
    found = states(write(tmp_path / "a.ora", stack, {"a": below, "b": above}))
    assert_close(found[1], below.convert("RGB"))
    assert_close(found[2], composed(below.convert("RGB"), above.convert("RGB")))


def soft_light(b, s):
    if s <= 0.5:
        return b - (1 - 2 * s) * b * (1 - b)
    d = ((16 * b - 12) * b + 4) * b if b <= 0.25 else b**0.5
    return b + (2 * s - 1) * (d - b)


def dodge(b, s):
    return 0 if b == 0 else 1 if s == 1 else min(1, b / (1 - s))


def burn(b, s):
    return 1 if b == 1 else 0 if s == 0 else 1 - min(1, (1 - b) / s)


def mixed(below, above, opacity, blend):
    """One pixel over another in W3C's unmultiplied formulas, in double precision."""
    *below, ab = (value / 255 for value in below)
    *above, as_ = (value / 255 for value in above)
    as_ *= opacity
    alpha = as_ + ab * (1 - as_)
    pixel = []
    for b, s in zip(below, above, strict=True):
        s = (1 - ab) * s + ab * blend(b, s)
        pixel.append(255 * (s * as_ + b * ab * (1 - as_) + 1 - alpha))
    return pixel


@pytest.mark.parametrize(
    ("operation", "blend"),
    [
        ("src-over", lambda b, s: s),
        ("multiply", lambda b, s: b * s),
        ("soft-light", soft_light),
        ("color-dodge", dodge),
        ("color-burn", burn),
        ("difference", lambda b, s: abs(b - s)),
    ],
)
def test_half_transparent_layers_blend_as_the_formulas_say(tmp_path, operation, blend):
    below, above = patch(1, (WIDTH, HEIGHT)), patch(2, (WIDTH, HEIGHT))
    stack = layer("b", composite_op=f"svg:{operation}", opacity=0.7) + layer("a")
    found = states(write(tmp_path / "a.ora", stack, {"a": below, "b": above}))
    pixels = (np.asarray(image).reshape(-1, 4).tolist() for image in (below, above))
    expected = [mixed(b, s, 0.7, blend) for b, s in zip(*pixels, strict=True)]
    assert_close(found[2], np.reshape(expected, (HEIGHT, WIDTH, 3)), levels=1)


def test_groups_count_by_their_layers_unless_they_change_how_these_look(tmp_path):
    found = states(picture(tmp_path / "a.ora"))
    assert len(found) == 1 + len(["ground", "light", "line", "glaze", "skin", "shade", "haze"])
    for before, after in itertools.pairwise(found):
        assert (before != after).any(), "every layer shows"


def test_a_group_is_put_together_before_it_is_laid_down(tmp_path):
    ground, skin, shade = patch(0, (WIDTH, HEIGHT), opaque=True), patch(1), patch(2)
    members = {"ground": ground, "skin": skin, "shade": shade}
    inside = layer("shade", x=4) + layer("skin", x=3, y=3)
    together = Image.alpha_composite(placed(skin, 3, 3), placed(shade, 4))
    for opacity, isolation in ((1, "isolate"), (0.4, "auto")):
        stack = f'<stack opacity="{opacity}" isolation="{isolation}">{inside}</stack>'
        found = states(write(tmp_path / "a.ora", stack + layer("ground"), members))
        faded = together.copy()
        faded.putalpha(together.getchannel("A").point(lambda value, by=opacity: round(value * by)))
        assert len(found) == (4 if opacity == 1 else 3)
        assert_close(found[-1], over_white(Image.alpha_composite(ground, faded)))


def test_only_an_isolated_group_hides_the_canvas_from_its_layers(tmp_path):
    ground, tint = (patch(seed, (WIDTH, HEIGHT), opaque=True) for seed in (1, 2))
    members = {"ground": ground, "tint": tint}
    tinted = layer("tint", composite_op="svg:multiply")
    shared = f"<stack>{tinted}</stack>" + layer("ground")
    isolated = f'<stack isolation="isolate">{tinted}</stack>' + layer("ground")
    multiplied = ImageChops.multiply(ground, tint).convert("RGB")
    assert_close(states(write(tmp_path / "a.ora", shared, members))[-1], multiplied)
    assert_close(states(write(tmp_path / "b.ora", isolated, members))[-1], tint.convert("RGB"))


def test_a_few_states_are_those_of_all(tmp_path):
    path = picture(tmp_path / "a.ora")
    found = states(path)
    for indices in ([0, 5, 7], [6], [1, 4, 5], []):
        few = list(ora.open_ora(path).pictures(indices))
        np.testing.assert_array_equal(few, [found[index] for index in indices])


def test_an_even_ground_is_the_first_state(tmp_path):
    paper = Image.new("RGB", (WIDTH, HEIGHT), (200, 180, 150))
    members = {"paper": paper, "line": patch(1)}
    found = states(write(tmp_path / "a.ora", layer("line") + layer("paper"), members))
    assert len(found) == 2
    assert (found[0] == (200, 180, 150)).all()
    for paper_layer in (layer("paper", opacity=0.5), layer("paper", x=1)):
        found = states(write(tmp_path / "a.ora", layer("line") + paper_layer, members))
        assert len(found) == 3
        assert (found[0] == 255).all()


def test_a_picture_without_visible_layers_is_a_page(tmp_path):
    path = write(tmp_path / "a.ora", layer("a", visibility="hidden"), {"a": patch(1)})
    (page,) = states(path)
    assert page.shape == (HEIGHT, WIDTH, 3)
    assert (page == 255).all()


def test_grey_of_16_bits_keeps_its_tones(tmp_path):
    grey = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    path = write(tmp_path / "a.ora", layer("a"), {"a": Image.fromarray(grey)})
    assert_close(states(path)[-1], np.repeat(grey[..., None] / 257, 3, -1), levels=1)


def test_unknown_operations_are_taken_for_normal_and_remarked_once(tmp_path):
    members = {"a": patch(1), "b": patch(2)}
    plain = states(write(tmp_path / "a.ora", layer("b") + layer("a"), members))
    stack = "".join(layer(name, composite_op="krita:fuzzy") for name in "ba")
    path = write(tmp_path / "a.ora", stack, members)
    with remarks.collected() as said:
        np.testing.assert_array_equal(states(path), plain)
    assert said == [f"{path}: composite-op krita:fuzzy is unknown and taken for svg:src-over"]


def bomb_png(width, height):
    """A png whose header claims a size that its data does not have."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    return start + struct.pack(">I", zlib.crc32(chunk)) + png(patch(1))[33:]


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (10_000, 10_000)])
def test_a_layer_that_claims_to_be_huge_is_refused_before_it_is_decoded(
    tmp_path, monkeypatch, width, height
):
    path = write(tmp_path / "a.ora", layer("a"), {"a": bomb_png(width, height)})
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(UserError, match="megapixels"):
        states(path)


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [
        (100_000, 100_000, "more than 64 megapixels"),
        (7, 300, "each side needs at least 8"),
        (-40, -40, "each side needs at least 8"),
        ("nan", 40, "is damaged or no OpenRaster picture"),
        ("1e999", 40, "is damaged or no OpenRaster picture"),
    ],
)
def test_canvases_out_of_bounds_are_refused(tmp_path, width, height, message):
    path = write(tmp_path / "a.ora", layer("a"), {"a": patch(1)}, width, height)
    with pytest.raises(UserError, match=message):
        ora.open_ora(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "a.ora"
    zeros = bytes(20 * 2**20)
    path = write(path, layer("a"), {"a": zeros})
    with pytest.raises(UserError, match="no picture does"):
        ora.open_ora(path)
    with (
        pytest.raises(UserError, match="unpacks to"),
        archive.opened(path, "archive", most_bytes=2**20),
    ):
        pass


def test_a_member_that_is_larger_than_it_claims_is_not_unpacked_further(tmp_path):
    path = write(tmp_path / "a.ora", layer("a"), {"a": bytes(10**6)})
    true_size, claimed = struct.pack("<I", 10**6), struct.pack("<I", 100)
    data = path.read_bytes()
    assert data.count(true_size) == 2, "in the local header and in the directory"
    path.write_bytes(data.replace(true_size, claimed))
    with pytest.raises(UserError, match="is damaged or no OpenRaster picture"):
        ora.open_ora(path)


def test_members_are_read_up_to_a_bound(tmp_path):
    path = write(tmp_path / "a.ora", "", {"a": b"x" * 100})
    with archive.opened(path, "archive") as file:
        assert archive.read_member(file, "data/a.png", 100) == b"x" * 100
        with pytest.raises(UserError, match="more than 99 bytes"):
            archive.read_member(file, "data/a.png", 99)


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "data/../../secret.png", "C:\\secret", "..\\secret"]
)
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path, name):
    (tmp_path / "secret.png").write_bytes(png(patch(1)))
    path = tmp_path / "in" / "a.ora"
    path.parent.mkdir()
    write(path, f'<layer src="{name}"/>', {})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(name, png(patch(1)))
    with pytest.raises(UserError, match="lies outside the archive"):
        ora.open_ora(path)


def test_packing_methods_without_a_bound_are_refused(tmp_path):
    path = write(tmp_path / "a.ora", "", {}, compression=zipfile.ZIP_BZIP2)
    with pytest.raises(UserError, match="another method than deflate"):
        ora.open_ora(path)


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (layer("a") * (ora.MAX_LAYERS + 1), "more than 2000 layers"),
        ("<stack>" * 70 + layer("a") + "</stack>" * 70, "nests groups more than 64 deep"),
        ("<stack>" * 50_000 + "</stack>" * 50_000, "nests groups more than 64 deep"),
        (f"<!--{' ' * 2**22}-->", "'stack.xml' has more than 4194304 bytes"),
        (layer("none"), "it has no member 'data/none.png'"),
        (layer("a", x="left"), "is damaged or no OpenRaster picture"),
        (layer("a", x="inf"), "is damaged or no OpenRaster picture"),
        (layer("a", opacity="nan"), "an opacity that is no number"),
        ("<layer>", "is damaged or no OpenRaster picture: mismatched tag"),
    ],
    ids=["layers", "deep", "deeper", "long", "no_member", "x", "inf", "nan", "xml"],
)
def test_a_stack_out_of_bounds_or_damaged_is_refused(tmp_path, stack, message):
    path = write(tmp_path / "a.ora", stack, {"a": patch(1)})
    with pytest.raises(UserError, match=message) as caught:
        ora.open_ora(path)
    assert str(path) in str(caught.value)


def test_entities_of_xml_are_not_expanded(tmp_path):
    path = tmp_path / "a.ora"
    with zipfile.ZipFile(path, "w") as file:
        xml = '<!DOCTYPE image [<!ENTITY a "aaaa">]><image w="40" h="40"><stack/>&a;</image>'
        file.writestr("stack.xml", xml)
    with pytest.raises(UserError, match="is damaged or no OpenRaster picture: DTDForbidden"):
        ora.open_ora(path)


def test_missing_files_and_other_files_are_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        ora.open_ora(tmp_path / "none.ora")
    with pytest.raises(UserError, match="is a folder"):
        ora.open_ora(tmp_path)
    path = tmp_path / "a.ora"
    path.write_bytes(png(patch(1)))
    with pytest.raises(UserError, match="is damaged or no OpenRaster picture"):
        ora.open_ora(path)


def test_a_file_cut_short_is_refused_in_one_line(tmp_path):
    whole = picture(tmp_path / "a.ora").read_bytes()
    path = tmp_path / "cut.ora"
    for part in (0, 0.001, 0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(UserError, match="is damaged or no OpenRaster picture"):
            states(path)


def test_a_layer_cut_short_is_refused(tmp_path):
    whole = png(patch(1))
    for length in (0, 20, 60, len(whole) - 30):
        path = write(tmp_path / "a.ora", layer("a"), {"a": whole[:length]})
        with pytest.raises(UserError, match="is damaged or no OpenRaster picture"):
            states(path)


def refusal(path):
    """Why a file is refused; None if it is read."""
    try:
        states(path)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_changed_bytes_give_a_picture_or_a_user_error(tmp_path, compression):
    members = {"a": patch(1), "b": patch(2)}
    stack = f"<stack>{layer('b', x=3, opacity=0.5)}</stack>{layer('a')}"
    whole = write(tmp_path / "a.ora", stack, members, compression=compression).read_bytes()
    chance = random.Random(0)
    path = tmp_path / "changed.ora"
    read = []
    for trial in range(60):
        data = bytearray(whole)
        for _ in range(1 + trial % 4):
            # The directory at the end, then anywhere.
            start = len(data) - 350 if trial % 2 else 0
            data[chance.randrange(start, len(data))] = chance.randrange(256)
        path.write_bytes(data)
        read.append(refusal(path))
    refused = [message for message in read if message]
    assert 0 < len(refused) < len(read), "some are refused, not all"
    assert all("changed.ora" in message and "\n" not in message for message in refused)


def test_sixty_layers_of_an_isolated_group_are_decoded_once_each(tmp_path):
    names = [f"l{number}" for number in range(60)]
    stack = f'<stack isolation="isolate">{"".join(map(layer, names))}</stack>'
    path = write(tmp_path / "a.ora", stack, dict.fromkeys(names, patch(0)))
    opened = ora.open_ora(path)
    with mock.patch.object(ora, "_decoded", side_effect=ora._decoded) as decoded:
        all_states(opened)
    assert decoded.call_count == 60
