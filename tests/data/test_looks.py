"""Which pictures look alike: encoded, scaled and cropped copies do, other pictures do not."""

import io

import numpy as np
import pytest
from PIL import Image

from painting_jax.data import looks, photos, pictures
from tests.synthetic import scene


@pytest.fixture(scope="module")
def originals() -> list[Image.Image]:
    loaded = [Image.fromarray(pictures.load(photo.path)) for photo in photos.packaged()[:6]]
    for picture in loaded:
        picture.thumbnail((320, 320))
    return loaded


def _jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=30)
    return Image.open(buffer)


def _cropped(picture: Image.Image, left, top, right, bottom) -> Image.Image:
    width, height = picture.size
    return picture.crop(
        (int(left * width), int(top * height), int((1 - right) * width), int((1 - bottom) * height))
    )


COPIES = {
    "JPEG of low quality": _jpeg,
    "much smaller": lambda picture: picture.resize((64, 64)),
    "stretched": lambda picture: picture.resize((200, 90)),
    "cropped around": lambda picture: _cropped(picture, 0.04, 0.04, 0.04, 0.04),
    "cropped at one side": lambda picture: _cropped(picture, 0.07, 0, 0, 0),
    "cropped unevenly": lambda picture: _cropped(picture, 0.01, 0.05, 0.03, 0.0),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "in grey": lambda picture: picture.convert("L"),
    "a little brighter": lambda picture: picture.point(lambda value: min(255, value * 1.05 + 4)),
    "cropped and compressed": lambda picture: _jpeg(_cropped(picture, 0.03, 0.0, 0.0, 0.03)),
}


def _look(picture: Image.Image) -> looks.Look | None:
    return looks.look(np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_looks_like_its_original_alone(originals, kind):
    count = len(originals)
    seen = [_look(picture) for picture in (*originals, *map(COPIES[kind], originals))]
    assert set(looks.alike(seen)) == {(i, count + i) for i in range(count)}


def test_different_pictures_do_not_look_alike(originals):
    assert not list(looks.alike([_look(picture) for picture in originals]))


def test_colours_tell_pictures_of_one_structure_apart():
    red, blue = (scene(0).copy() for _ in range(2))
    red[..., 2], blue[..., 0] = 0, 0
    grey = np.full((40, 56, 3), 128, np.uint8)
    seen = [looks.look(picture) for picture in (red, blue, red, grey, grey)]
    assert seen[3:] == [None, None], "too plain to be told apart"
    assert set(looks.alike(seen)) == {(0, 2)}


@pytest.mark.parametrize("seed", [0, 3, 7, 9])
def test_copies_of_simple_symmetric_pictures_look_alike(seed):
    """Half of their coefficients are 0 but for noise."""
    picture = Image.fromarray(scene(seed, 48, 64))
    seen = [_look(copy) for copy in (picture, _jpeg(picture), picture.resize((256, 192)))]
    assert set(looks.alike(seen)) == {(0, 1), (0, 2), (1, 2)}


def test_none_and_one_have_no_pairs(originals):
    assert not list(looks.alike([]))
    assert not list(looks.alike([None, _look(originals[0]), None]))


def test_many_are_compared_in_blocks(originals, monkeypatch):
    seen = [_look(picture) for picture in originals] * 2
    expected = set(looks.alike(seen))
    monkeypatch.setattr(looks, "_AT_ONCE", 1)
    assert set(looks.alike(seen)) == expected != set()
