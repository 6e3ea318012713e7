"""Layers of Photoshop pictures appear one after another, as psd-tools composes them."""

import itertools
import random
import struct
from unittest import mock

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import BlendMode, Tag
from psd_tools.psd.layer_and_mask import MaskData

from painting_jax.data import remarks
from painting_jax.data.artwork import psd
from painting_jax.errors import UserError
from tests.data.artwork.layered import all_states, assert_close, over_white, patch

SIZE = (40, 32)  # width and height


def document(mode="RGB", depth=8):
    return PSDImage.new(mode, SIZE, color=255, depth=depth)


def picture(file):
    """A layered picture with all that a painter uses."""
    file.create_pixel_layer(patch(0, SIZE, opaque=True), "ground")
    file.create_pixel_layer(patch(1), "shadow", 3, 5, blend_mode=BlendMode.MULTIPLY)
    file.create_pixel_layer(patch(2), "light", -4, -6, opacity=130, blend_mode=BlendMode.SCREEN)
    sketch = file.create_group(name="sketch")
    sketch.create_pixel_layer(patch(3), "line", 8, 2)
    sketch.create_pixel_layer(patch(4), "glaze", 2, 12, blend_mode=BlendMode.OVERLAY)
    figure = file.create_group(name="figure", blend_mode=BlendMode.NORMAL)
    figure.create_pixel_layer(patch(5), "skin", 6, 6)
    figure.create_pixel_layer(patch(6), "shade", 1, 9, blend_mode=BlendMode.MULTIPLY).clipping = 1
    haze = file.create_group(name="haze", opacity=90)
    haze.create_pixel_layer(patch(7), "mist", 0, 0)
    haze.create_pixel_layer(patch(8), "fog", 10, 10)
    file.create_pixel_layer(patch(9), "guides").visible = False
    return file


def saved(file, path):
    file.save(path)
    return path


def states(path):
    return all_states(psd.open_psd(path))


def test_each_state_is_what_psd_tools_composes_of_the_layers_so_far(tmp_path):
    path = saved(picture(document()), tmp_path / "a.psd")
    found = states(path)
    names = ["ground", "shadow", "light", "line", "glaze", "skin", "shade", "mist"]
    assert len(found) == 1 + len(names)
    assert (found[0] == 255).all()
    reference = PSDImage.open(path)
    shown = {"sketch", "figure", "haze"}
    for name, state in zip(names, found[1:], strict=True):
        shown = shown | ({name, "fog"} if name == "mist" else {name})
        composed = reference.composite(layer_filter=lambda layer, shown=shown: layer.name in shown)
        assert_close(state, over_white(composed))
    assert_close(found[-1], over_white(reference.composite()))
    for before, after in itertools.pairwise(found):
        assert (before != after).any(), "every layer shows"


def test_a_few_states_are_those_of_all(tmp_path):
    path = saved(picture(document()), tmp_path / "a.psd")
    found = states(path)
    for indices in ([0, 6, 8], [7], [1, 4, 5], []):
        few = list(psd.open_psd(path).pictures(indices))
        np.testing.assert_array_equal(few, [found[index] for index in indices] or [])


@pytest.mark.parametrize(("mode", "depth"), [("L", 8), ("CMYK", 8), ("RGB", 16)])
def test_other_colours_and_depths_are_read(tmp_path, mode, depth):
    path = saved(picture(document(mode, depth)), tmp_path / "a.psd")
    found = states(path)
    assert len(found) == 9
    composed = PSDImage.open(path).composite(layer_filter=lambda layer: layer.is_visible())
    assert_close(found[-1], over_white(composed))
    assert np.ptp(found[-1]) > 50


def test_adjustments_masks_and_clipped_layers_count_as_layers(tmp_path):
    file = document()
    file.create_pixel_layer(patch(0, SIZE, opaque=True), "ground")
    posterized = file.create_pixel_layer(Image.new("RGB", (1, 1)), "posterized")
    posterized.tagged_blocks.set_data(Tag.POSTERIZE, 2)
    masked = file.create_pixel_layer(patch(2, opaque=True).convert("RGB"), "masked", 2, 3)
    masked.create_mask(patch(3).getchannel("A"))
    file.create_pixel_layer(patch(4), "clipped", 6, 6).clipping = True
    file.create_pixel_layer(patch(5), "clipped too", 2, 1).clipping = True
    half = file.create_group(name="half")
    half.create_pixel_layer(patch(6, SIZE), "left")
    half.create_pixel_layer(patch(7, SIZE), "right")
    # psd-tools writes the pixels of a group's mask wrongly, so this one has none.
    half._record.mask_data = MaskData(background_color=255)
    path = saved(file, tmp_path / "a.psd")
    found = states(path)
    reference = PSDImage.open(path)
    shown = set()
    names = ["ground", "posterized", "masked", "clipped", "clipped too", "half"]
    for name, state in zip(names, found[1:], strict=True):
        shown = shown | ({"half", "left", "right"} if name == "half" else {name})
        composed = reference.composite(layer_filter=lambda layer, shown=shown: layer.name in shown)
        assert_close(state, over_white(composed))
    for before, after in itertools.pairwise(found):
        assert (before != after).any(), "every layer shows"


@pytest.mark.parametrize(
    ("change", "layers"),
    [
        ({}, 2),
        ({"blend_mode": BlendMode.NORMAL}, 2),
        ({"blend_mode": BlendMode.MULTIPLY}, 1),
        ({"opacity": 100}, 1),
        ({"fill_opacity": 100}, 1),
        ({"visible": False}, 0),
        ({"opacity": 0}, 0),
    ],
    ids=str,
)
def test_a_group_counts_by_its_layers_if_it_only_holds_them_together(tmp_path, change, layers):
    file = document()
    file.create_pixel_layer(patch(0, SIZE, opaque=True), "ground")
    group = file.create_group(name="group")
    group.create_pixel_layer(patch(1), "one")
    group.create_pixel_layer(patch(2), "two", 3, 3)
    for name, value in change.items():
        setattr(group, name, value)
    path = saved(file, tmp_path / "a.psd")
    found = states(path)
    assert len(found) == 2 + layers
    assert_close(found[-1], over_white(PSDImage.open(path).composite()))


def test_a_hole_that_is_cut_down_to_the_ground_stays_a_hole(tmp_path):
    file = document()
    file.create_pixel_layer(patch(0, SIZE, opaque=True).convert("RGB"), "ground")
    file.create_pixel_layer(patch(1, SIZE, opaque=True), "over")
    group = file.create_group(name="group")
    group.create_pixel_layer(patch(2, opaque=True), "inside", 2, 3)
    hole = group.create_pixel_layer(patch(3, opaque=True), "hole", 6, 6)
    hole.fill_opacity = 0
    hole.tagged_blocks.set_data(Tag.KNOCKOUT_SETTING, 2)
    path = saved(file, tmp_path / "a.psd")
    found = states(path)
    composed = PSDImage.open(path).composite(layer_filter=lambda layer: layer.is_visible())
    assert_close(found[-1], over_white(composed))
    assert (found[-1] != found[-2]).any()


def test_psb_gives_the_states_of_psd(tmp_path):
    file = document()
    file._record.header.version = 2
    large = saved(picture(file), tmp_path / "a.psb")
    assert large.read_bytes()[5] == 2
    small = saved(picture(document()), tmp_path / "a.psd")
    np.testing.assert_array_equal(states(large), states(small))


def test_an_even_ground_is_the_first_state(tmp_path):
    file = document()
    file.create_pixel_layer(Image.new("RGB", SIZE, (200, 180, 150)), "paper")
    file.create_pixel_layer(patch(1), "line")
    found = states(saved(file, tmp_path / "a.psd"))
    assert len(found) == 2
    assert (found[0] == (200, 180, 150)).all()


def test_a_ground_that_lets_the_page_through_is_none(tmp_path):
    file = document()
    file.create_pixel_layer(Image.new("RGB", SIZE, (200, 180, 150)), "paper", opacity=128)
    found = states(saved(file, tmp_path / "a.psd"))
    assert len(found) == 2
    assert (found[0] == 255).all()


def test_layers_clipped_to_a_hidden_one_and_empty_ones_do_not_count(tmp_path):
    file = document()
    file.create_pixel_layer(patch(1), "line")
    file.create_pixel_layer(patch(2), "base").visible = False
    file.create_pixel_layer(patch(3), "clipped").clipping = True
    file.create_group(name="nothing")
    assert len(states(saved(file, tmp_path / "a.psd"))) == 2


def test_a_flat_picture_has_the_page_and_itself(tmp_path):
    flat = patch(1, SIZE).convert("RGB")
    path = saved(PSDImage.frompil(flat), tmp_path / "a.psd")
    page, whole = states(path)
    assert (page == 255).all()
    np.testing.assert_array_equal(whole, np.asarray(flat))


def test_what_cannot_be_drawn_is_said_and_taken_from_the_whole_picture(tmp_path):
    file = document()
    file.create_pixel_layer(patch(1), "line")
    path = saved(file, tmp_path / "a.psd")
    with pytest.MonkeyPatch.context() as patched, remarks.collected() as said:
        patched.setattr(psd, "_missing", lambda document: "satin")
        found = states(path)
    assert said == [f"{path}: satin cannot be drawn and is left out"]
    np.testing.assert_array_equal(found[-1], over_white(PSDImage.open(path).topil()))


def test_a_layer_that_takes_another_package_is_left_out(tmp_path, monkeypatch):
    path = saved(picture(document()), tmp_path / "a.psd")
    apply = psd.Compositor.apply

    def lacking(self, layer, **kwargs):
        if layer.name == "light":
            raise ImportError("aggdraw")
        apply(self, layer, **kwargs)

    monkeypatch.setattr(psd.Compositor, "apply", lacking)
    with remarks.collected() as said:
        found = states(path)
    assert len(said) == 1
    assert "its layer 'light' is left out" in said[0]
    np.testing.assert_array_equal(found[3], found[2])
    assert (found[4] != found[3]).any()


def header(width, height, depth=8, mode=3, version=1):
    return struct.pack(">4sH6xHIIHH", b"8BPS", version, 3, height, width, depth, mode)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(100_000, 100_000, version=2), "more than 64 megapixels"),
        (header(6001, 6000), "6001x6000 pixels: layers are composed at up to 36 megapixels"),
        (header(4, 4), "each side needs at least 8"),
        (header(64, 64, depth=32), "save it as RGB, grey or CMYK"),
        (header(64, 64, mode=9), "save it as RGB, grey or CMYK"),
        (b"GIF89a" + bytes(40), "is no Photoshop picture"),
        (b"", "is damaged or no Photoshop picture"),
    ],
)
def test_what_the_header_says_is_refused_before_anything_is_read(
    tmp_path, monkeypatch, data, message
):
    monkeypatch.setattr(psd.PSDImage, "open", None)
    path = tmp_path / "a.psd"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        psd.open_psd(path)
    assert str(path) in str(caught.value)


def test_too_many_and_too_large_layers_are_refused(tmp_path, monkeypatch):
    file = picture(document())
    path = saved(file, tmp_path / "a.psd")
    monkeypatch.setattr(psd, "MAX_LAYERS", 5)
    with pytest.raises(UserError, match="5 are read"):
        psd.open_psd(path)
    monkeypatch.undo()
    file[1]._record.right = file[1]._record.bottom = 30_000
    with pytest.raises(UserError, match=r"'shadow' has .* more than 64 megapixels"):
        psd.open_psd(saved_as_it_is(file, path))


def saved_as_it_is(file, path):
    """Without composing the preview, which a made up size would break."""
    with path.open("wb") as opened:
        file._record.write(opened)
    return path


def test_a_layer_that_cannot_be_unpacked_is_refused_rather_than_shown_black(tmp_path):
    file = picture(document())
    path = saved(file, tmp_path / "a.psd")
    file[1]._channels[1].data = b"\xff"
    file[1]._record.channel_info[1].length = 3
    opened = psd.open_psd(saved_as_it_is(file, path))
    with pytest.raises(UserError, match="is damaged or no Photoshop picture: RLE decode failed"):
        list(opened.pictures([2]))


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        psd.open_psd(tmp_path / "none.psd")
    with pytest.raises(UserError, match="is a folder"):
        psd.open_psd(tmp_path)


def refusal(path):
    """Why a file is refused; None if it is read."""
    try:
        states(path)
    except UserError as error:
        return str(error)
    return None


def test_a_file_cut_short_is_refused_in_one_line(tmp_path):
    whole = saved(picture(document()), tmp_path / "a.psd").read_bytes()
    path = tmp_path / "cut.psd"
    for part in (0.001, 0.02, 0.1, 0.3, 0.5, 0.7):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(UserError, match="is damaged or"):
            states(path)


def test_a_flat_file_cut_short_is_refused_rather_than_filled_with_black(tmp_path):
    path = saved(PSDImage.frompil(patch(1, SIZE).convert("RGB")), tmp_path / "a.psd")
    whole = path.read_bytes()
    for part in (0.3, 0.6, 0.99):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(UserError, match="is damaged or"):
            states(path)


def test_changed_bytes_give_a_picture_or_a_user_error(tmp_path):
    whole = saved(picture(document()), tmp_path / "a.psd").read_bytes()
    # Most of the structure lies in the first part, most of the rest is pixels.
    chance = random.Random(0)
    path = tmp_path / "changed.psd"
    read = []
    for trial in range(60):
        data = bytearray(whole)
        for _ in range(1 + trial % 4):
            data[chance.randrange(len(data) // (1 + trial % 3 * 2))] = chance.randrange(256)
        path.write_bytes(data)
        read.append(refusal(path))
    refused = [message for message in read if message]
    assert 0 < len(refused) < len(read), "some are refused, not all"
    assert all("changed.psd" in message and "\n" not in message for message in refused)


def test_sixty_layers_of_an_isolated_group_are_laid_once_each(tmp_path):
    """Composed anew for each of its states, the group would take 1830 layers."""
    files = [document(), document()]
    for file, mode in zip(files, (BlendMode.NORMAL, BlendMode.PASS_THROUGH), strict=True):
        group = file.create_group(name="group", blend_mode=mode)
        for number in range(60):
            group.create_pixel_layer(patch(number), str(number), number % 9, number % 7)
    isolated, through = (saved(file, tmp_path / f"{i}.psd") for i, file in enumerate(files))
    opened = psd.open_psd(isolated)
    with mock.patch.object(psd.Psd, "_apply", autospec=True, side_effect=psd.Psd._apply) as apply:
        found = all_states(opened)
    assert apply.call_count == 60
    for one, other in zip(found, states(through), strict=True):
        assert_close(one, other, levels=1)
