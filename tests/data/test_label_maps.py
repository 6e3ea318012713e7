import numpy as np
import pytest
from PIL import Image

from painting_jax.data import label_maps
from painting_jax.errors import UserError


def _load(tmp_path, image: Image.Image, **options) -> np.ndarray:
    image.save(tmp_path / "map.png", **options)
    return label_maps.load(tmp_path / "map.png", image.size[::-1])


def test_regions_are_numbered_from_dark_to_light_and_black_is_none(tmp_path):
    colours = np.uint8([(255, 255, 255), (0, 0, 255), (0, 0, 0), (255, 0, 0)])
    labels = _load(tmp_path, Image.fromarray(colours.repeat(3, 0).repeat(2, 0)[None].repeat(9, 0)))
    np.testing.assert_array_equal(labels[0, ::6], [3, 1, 0, 2])


def test_grey_of_16_bits_keeps_its_levels(tmp_path):
    grey = np.arange(12, dtype=np.uint16).repeat(2)[None].repeat(9, 0)
    np.testing.assert_array_equal(_load(tmp_path, Image.fromarray(grey))[0, ::2], np.arange(12))


def test_too_many_colours_are_counted(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    with pytest.raises(UserError, match=r"map\.png has 1600 colours"):
        _load(tmp_path, Image.fromarray(noise))


def test_a_profile_does_not_mix_regions(tmp_path):
    colours = np.uint8([(10, 10, 10), (11, 10, 10), (12, 10, 10)])
    image = Image.fromarray(colours.repeat(4, 0)[None].repeat(12, 0))
    labels = _load(tmp_path, image, icc_profile=b"no profile")
    np.testing.assert_array_equal(labels[0, ::4], [1, 2, 3])


def test_a_large_map_is_looked_at_in_strips(tmp_path, monkeypatch):
    monkeypatch.setattr(label_maps, "_STRIP", 100)
    labels = np.arange(40).repeat(40).reshape(40, 40).astype(np.uint8) * 3
    np.testing.assert_array_equal(_load(tmp_path, Image.fromarray(labels)), labels // 3)


@pytest.mark.parametrize("count", [0, 1, 7, 63])
def test_a_map_that_is_written_is_read_as_it_was(tmp_path, count):
    labels_HW = np.arange(256, dtype=np.uint8).clip(0, count).reshape(16, 16)
    picture_HWC = label_maps.picture_of(labels_HW)
    np.testing.assert_array_equal(_load(tmp_path, Image.fromarray(picture_HWC)), labels_HW)
