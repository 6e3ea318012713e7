import io
import os
import struct
import zlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from PIL import Image

from painting_jax.data import pictures
from painting_jax.errors import UserError
from tests.synthetic import scene

_NOISE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


def _png_header(width: int, height: int) -> bytes:
    """A png that announces a size and holds almost nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.jpg", b"this is a text", "not a picture"),
        ("empty.png", b"", "not a picture"),
        ("cut.png", pictures.encode(_NOISE, "png")[:2000], "damaged or cut short"),
        ("cut.jpg", pictures.encode(_NOISE, "jpeg")[:2000], "damaged or cut short"),
        ("dot.png", pictures.encode(scene(0)[:1, :1], "png"), "1x1 pixels"),
        ("huge.png", _png_header(20_000, 20_000), "megapixels"),
        ("large.png", _png_header(9_000, 9_000), "megapixels"),
    ],
)
def test_bad_file_ends_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        pictures.load(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        pictures.load(tmp_path / "none.png")
    with pytest.raises(UserError, match="is a folder"):
        pictures.load(tmp_path)


def _saved(image: Image.Image, path, **options) -> np.ndarray:
    image.save(path, **options)
    return pictures.load(path)


def test_exif_rotation_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by a quarter
    loaded = _saved(Image.fromarray(scene(0)), tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(loaded, np.rot90(scene(0), -1))


def test_alpha_lies_over_white(tmp_path):
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:8, :, 3] = 255
    loaded = _saved(Image.fromarray(rgba), tmp_path / "a.png")
    assert (loaded[:8] == 0).all()
    assert (loaded[8:] == 255).all()


def test_palette_transparency_lies_over_white(tmp_path):
    image = Image.fromarray(np.zeros((16, 16), np.uint8)).convert("P")
    image.save(tmp_path / "a.png", transparency=0)
    assert (pictures.load(tmp_path / "a.png") == 255).all()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_grey_becomes_rgb(tmp_path, suffix):
    loaded = _saved(Image.fromarray(np.full((16, 16), 77, np.uint8)), tmp_path / f"a.{suffix}")
    assert loaded.shape == (16, 16, 3)
    np.testing.assert_allclose(loaded, 77, atol=1)


def test_16_bit_is_scaled_not_clipped(tmp_path):
    grey = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    loaded = _saved(Image.fromarray(grey), tmp_path / "a.png")
    np.testing.assert_array_equal(loaded[..., 0].ravel(), np.arange(256))


def test_encoding_round_trips():
    np.testing.assert_array_equal(pictures.decode(pictures.encode(scene(1), "png")), scene(1))
    close = pictures.decode(pictures.encode(scene(1), "jpeg")).astype(int) - scene(1)
    assert np.abs(close).mean() < 2


def test_labels_round_trip_and_none_stays_none():
    labels = np.random.default_rng(0).integers(0, 256, (9, 13), dtype=np.uint8)
    np.testing.assert_array_equal(pictures.decode_labels(pictures.encode_labels(labels)), labels)
    assert pictures.decode_labels(pictures.encode_labels(np.zeros((0, 0), np.uint8))).size == 0


def test_damaged_stored_picture_is_a_user_error():
    with pytest.raises(UserError, match="damaged"):
        pictures.decode(pictures.encode(scene(0))[:200])


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(*[st.integers(1, 60)] * 4)
def test_centre_box_lies_inside_and_is_as_large_as_possible(full_height, full_width, height, width):
    top, left, bottom, right = pictures.centre_box((full_height, full_width), height, width)
    assert 0 <= top < bottom <= full_height
    assert 0 <= left < right <= full_width
    assert bottom - top == full_height or right - left == full_width
    assert abs(top - (full_height - bottom)) <= 1
    assert abs(left - (full_width - right)) <= 1


def test_fit_does_not_stretch():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 255
    assert (pictures.fit(picture, 20, 20) == 255).all()
    assert (pictures.fit_labels(picture[..., 0], 20, 20) == 255).all()


def test_labels_are_never_blended():
    labels = np.random.default_rng(0).choice(np.array([0, 3, 200], np.uint8), (50, 50))
    assert set(np.unique(pictures.fit_labels(labels, 17, 23))) <= {0, 3, 200}


def test_downsizing_is_antialiased():
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = pictures.resize(np.repeat(checks[..., None], 3, -1), 8, 8)
    np.testing.assert_allclose(small, 127.5, atol=12)


def test_pictures_are_listed_in_natural_order(tmp_path):
    for name in ("a10.png", "a9.png", "b/a1.jpg", ".hidden.png", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = [path.removeprefix(f"{tmp_path}/") for path in pictures.list_pictures(tmp_path)]
    assert names == ["a9.png", "a10.png", "b/a1.jpg"]
    assert len(pictures.list_pictures(f"{tmp_path}/a*.png")) == 2
    assert pictures.list_pictures(tmp_path / "note.txt") == [str(tmp_path / "note.txt")]


def test_listing_nothing_is_a_user_error(tmp_path):
    for path in (tmp_path, tmp_path / "none", tmp_path / "*.png"):
        with pytest.raises(UserError):
            pictures.list_pictures(path)


def _touch(folder, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize("path", [".", "**/*.png", "./**/*.png", "[ao]*/**/*.png"])
def test_results_and_what_lies_in_the_output_are_no_pictures_to_paint(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    _touch(tmp_path, "art/cat.png", "art/out/dog.png")
    _touch(tmp_path, "old/process.json", "old/contact_sheet.png", "old/steps/00.png")
    found = pictures.list_pictures(path, tmp_path / "art" / "out")
    assert [os.path.normpath(file) for file in found] == ["art/cat.png"]


def test_a_result_or_the_output_that_is_named_itself_is_searched(tmp_path):
    _touch(tmp_path, "cat.png", "old/process.json", "old/contact_sheet.png", "old/steps/00.png")
    assert len(pictures.list_pictures(tmp_path / "old")) == 2
    assert len(pictures.list_pictures(f"{tmp_path}/old/steps/*.png")) == 1
    assert len(pictures.list_pictures(tmp_path, output=tmp_path)) == 1
    assert len(pictures.list_pictures(f"{tmp_path}/*.png", output=tmp_path)) == 1


def test_links_that_lead_back_are_not_followed(tmp_path):
    _touch(tmp_path, "in/a/cat.png", "in/b/dog.png", "bird.png")
    (tmp_path / "in" / "loop").symlink_to(".")
    (tmp_path / "in" / "up").symlink_to("..")
    (tmp_path / "in" / "a" / "to_b").symlink_to("../b")
    (tmp_path / "in" / "b" / "to_a").symlink_to("../a")
    expected = {"a/cat.png", "b/dog.png", "a/to_b/dog.png", "b/to_a/cat.png"}
    for path in (tmp_path / "in", f"{tmp_path}/in/**/*.png"):
        found = {file.removeprefix(f"{tmp_path}/in/") for file in pictures.list_pictures(path)}
        assert found == expected


def test_png_text_bomb_is_a_user_error(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(scene(0)).save(stream, "PNG")
    bomb = zlib.compress(b"\0" * (80 << 20), 9)
    body = b"Comment\0\0" + bomb
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + body))
    data = stream.getvalue()
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    with pytest.raises(UserError):
        pictures.load(tmp_path / "a.png")
