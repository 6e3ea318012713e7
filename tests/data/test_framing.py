"""Pictures of any shape on the model's canvas, and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from painting_jax.data import label_maps, pictures
from painting_jax.data.framing import Framing
from painting_jax.errors import UserError
from tests.synthetic import scene

sides = st.integers(1, 300)


@settings(max_examples=60, deadline=None)
@given(rows=sides, columns=sides, height=st.sampled_from([32, 64]), width=st.sampled_from([48, 64]))
def test_what_is_placed_is_cut_out_again(rows, columns, height, width):
    framing = Framing.of((rows, columns), height, width)
    picture = np.random.default_rng(0).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    canvas = framing.place(picture)
    assert canvas.shape == (height, width, 3)
    small = pictures.resize(picture, framing.picture_height, framing.picture_width)
    np.testing.assert_array_equal(framing.cut(canvas[None])[0], small)
    assert framing.picture_height == height or framing.picture_width == width


def test_the_surroundings_repeat_the_border():
    canvas = Framing.of((20, 40), 64, 64).place(scene(0, 20, 40))
    np.testing.assert_array_equal(canvas[0], canvas[16])
    np.testing.assert_array_equal(canvas[-1], canvas[47])


def test_a_map_lies_where_its_picture_does():
    framing = Framing.of((20, 40), 64, 64)
    labels = np.repeat([[1, 2]], 20, 0).repeat(20, 1).astype(np.uint8)
    placed = framing.place_labels(labels)
    assert placed.shape == (64, 64)
    np.testing.assert_array_equal(placed[:, :32], 1)
    np.testing.assert_array_equal(placed[:, 32:], 2)


def drawn_map(path, colours, side=16):
    stripes = np.repeat(np.array(colours, np.uint8)[:, None], side, 1).repeat(4, 0)
    path.write_bytes(pictures.encode(stripes, "png"))
    return stripes.shape[:2]


def test_regions_are_numbered_from_dark_to_light_and_black_is_unlabelled(tmp_path):
    shape = drawn_map(tmp_path / "map.png", [(200, 0, 0), (0, 0, 0), (0, 0, 90), (9, 9, 9)])
    labels = label_maps.load(tmp_path / "map.png", shape)
    assert labels[::4, 0].tolist() == [3, 0, 2, 1] or labels[::4, 0].tolist() == [3, 0, 1, 2]
    assert labels.dtype == np.uint8


@pytest.mark.parametrize(
    ("kind", "last"), [(np.uint8, 4), (np.uint16, 4), (np.uint16, 300), (np.uint16, 65535)]
)
def test_labels_as_tools_write_them_are_regions_whatever_their_bits(tmp_path, kind, last):
    labels = np.array([0, 1, 2, 3, last], kind).repeat(4)[:, None].repeat(16, 1)
    Image.fromarray(labels).save(tmp_path / "map.png")
    loaded = label_maps.load(tmp_path / "map.png", labels.shape)
    assert loaded[::4, 0].tolist() == [0, 1, 2, 3, 4]
    Image.fromarray(labels[4:]).save(tmp_path / "map.png")
    loaded = label_maps.load(tmp_path / "map.png", labels[4:].shape)
    assert loaded[::4, 0].tolist() == [1, 2, 3, 4]


def test_without_black_every_region_is_labelled(tmp_path):
    shape = drawn_map(tmp_path / "map.png", [(255, 255, 255), (40, 40, 40)])
    assert label_maps.load(tmp_path / "map.png", shape)[::4, 0].tolist() == [2, 1]


def test_a_photo_is_no_map_and_proportions_must_agree(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    (tmp_path / "photo.png").write_bytes(pictures.encode(noise, "png"))
    with pytest.raises(UserError, match="256 colours"):
        label_maps.load(tmp_path / "photo.png", (16, 16))
    shape = drawn_map(tmp_path / "map.png", [(1, 1, 1), (2, 2, 2)])
    with pytest.raises(UserError, match="proportions"):
        label_maps.load(tmp_path / "map.png", (shape[0] * 2, shape[1]))
