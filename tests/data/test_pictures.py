import io
import os
import struct
import sys
import zlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from PIL import Image, ImageCms

from painting_jax.data import pictures, remarks
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


def _profile(primaries, gamma: float) -> bytes:
    """An ICC profile of three primaries (XYZ under D50) and a gamma."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, primaries), strict=True))
    tags |= {b"wtpt": xyz((0.9642, 1, 0.8249)), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78)
    listed, body, at = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        listed += name + struct.pack(">II", at + len(body), len(value))
        body += value
    head = struct.pack(">I4s4s4s4s4s", at + len(body), bytes(4), b"\2\x10\0\0", *_KIND)
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(tags)) + listed + body


_KIND = (b"mntr", b"RGB ", b"XYZ ")
_SRGB = np.array([(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)])
_GAMUTS = {
    "p3": [(0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)],
    "adobe": [(0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)],
    "prophoto": [(0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)],
}
_RED = (200, 30, 30)


def _in_gamut(gamut: str, gamma: float = 2.2) -> tuple[np.ndarray, bytes]:
    """A flat picture of what is `_RED` in sRGB, in another gamut, and its profile."""
    code = np.array(_RED) / 255
    linear = np.where(code > 0.04045, ((code + 0.055) / 1.055) ** 2.4, code / 12.92)
    other = np.clip(linear @ _SRGB @ np.linalg.inv(np.array(_GAMUTS[gamut])), 0, 1) ** (1 / gamma)
    picture = np.full((16, 16, 3), (255 * other).round(), np.uint8)
    return picture, _profile(_GAMUTS[gamut], gamma)


@pytest.mark.parametrize("gamut", _GAMUTS)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif"])
def test_a_colour_profile_is_followed(tmp_path, gamut, suffix):
    picture, profile = _in_gamut(gamut)
    options = {"png": {}, "tif": {}, "webp": {"lossless": True}}.get(suffix, {"quality": 100})
    loaded = _saved(
        Image.fromarray(picture), tmp_path / f"a.{suffix}", icc_profile=profile, **options
    )
    np.testing.assert_allclose(loaded[8, 8], _RED, atol=4)


def test_a_profile_acts_under_alpha_on_a_palette_and_on_grey(tmp_path):
    picture, profile = _in_gamut("p3")
    rgba = Image.fromarray(picture).convert("RGBA")
    rgba.putalpha(Image.fromarray(np.repeat(np.uint8([[255], [0]]), 8, 0).repeat(16, 1)))
    loaded = _saved(rgba, tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_allclose(loaded[[0, 15], 8], [_RED, (255, 255, 255)], atol=2)
    flat = Image.fromarray(picture).quantize(2)
    np.testing.assert_allclose(
        _saved(flat, tmp_path / "b.png", icc_profile=profile)[8, 8], _RED, atol=2
    )
    with remarks.collected() as notes:
        grey = _saved(Image.new("L", (16, 16), 99), tmp_path / "c.png", icc_profile=profile)
    assert (grey == 99).all()
    assert "c.png" in notes[0]


def test_an_srgb_profile_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    loaded = _saved(Image.fromarray(_NOISE), tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(loaded, _NOISE)


def test_a_damaged_profile_is_named_and_the_picture_read(tmp_path):
    with remarks.collected() as notes:
        loaded = _saved(Image.fromarray(_NOISE), tmp_path / "a.png", icc_profile=b"no profile")
    np.testing.assert_array_equal(loaded, _NOISE)
    assert "profile of" in notes[0]
    assert "a.png" in notes[0]


def _with_chunk(path, kind: bytes, body: bytes) -> None:
    """Puts a chunk behind the header of a png."""
    chunk = struct.pack(">I", len(body)) + kind + body
    chunk += struct.pack(">I", zlib.crc32(kind + body))
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])


def test_a_png_that_states_its_colours_without_a_profile(tmp_path):
    grey = Image.fromarray(np.full((16, 16, 3), 128, np.uint8))
    for kind, body, shown in (
        (b"gAMA", struct.pack(">I", 45455), 128),
        (b"gAMA", struct.pack(">I", 100000), 188),
        (b"cICP", bytes((1, 13, 0, 1)), 128),
        (b"cICP", bytes((9, 16, 0, 1)), 181),  # 94 cd/m2, of the 203 of white
        (b"cICP", bytes((12, 13, 0, 1)), 128),
    ):
        grey.save(tmp_path / "a.png")
        _with_chunk(tmp_path / "a.png", kind, body)
        np.testing.assert_allclose(pictures.load(tmp_path / "a.png"), shown, atol=1)


def _jpeg_with_exif(path, picture_HWC: np.ndarray, entries: bytes, data: bytes = b"") -> None:
    """A jpg whose EXIF data begins with an orientation of 6 (a quarter turn)."""
    stream = io.BytesIO()
    Image.fromarray(picture_HWC).save(stream, "JPEG", quality=95, subsampling=0)
    count = struct.pack("<H", 1 + len(entries) // 12)
    orientation = struct.pack("<HHIHH", 0x112, 3, 1, 6, 0)
    body = b"Exif\0\0II*\0" + struct.pack("<I", 8) + count + orientation + entries + bytes(4) + data
    app1 = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    path.write_bytes(stream.getvalue()[:2] + app1 + stream.getvalue()[2:])


_AT = 8 + 2 + 24 + 4  # offset of what follows two entries
_SUBFOLDER = struct.pack("<HHII", 0x8769, 4, 1, _AT)
_BIAS = struct.pack("<HHHII", 1, 0x9204, 10, 1, _AT + 18) + bytes(4) + struct.pack("<ii", -2, 0)


@pytest.mark.parametrize(
    ("entries", "data"),
    [
        (_SUBFOLDER, _BIAS),
        (struct.pack("<HHII", 0x131, 5, 1, _AT), struct.pack("<II", 72, 1)),
        (struct.pack("<HHII", 0x10F, 2, 900, 4000), b""),
        (struct.pack("<HHII", 0x8769, 4, 1, 60000), b""),
        (struct.pack("<HHII", 0x9286, 77, 3, 9), b""),
        (struct.pack("<HHII", 0x8825, 4, 1, 8), b""),
    ],
    ids=["bias of -2/0", "a text that is a number", "cut", "no folder", "no type", "a circle"],
)
def test_exif_that_cannot_be_written_again_turns_the_picture_all_the_same(tmp_path, entries, data):
    upright = np.full((48, 64, 3), 255, np.uint8)
    upright[:16, :16] = _RED
    _jpeg_with_exif(tmp_path / "a.jpg", np.rot90(upright), entries, data)
    loaded = pictures.load(tmp_path / "a.jpg")
    assert loaded.shape == upright.shape
    np.testing.assert_allclose(loaded[5, 5], _RED, atol=4)


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x.swapaxes(0, 1), 2),
        8: np.rot90,
    }.get(orientation, lambda x: x)
    for suffix in ("png", "tif", "webp"):
        options = {"lossless": True} if suffix == "webp" else {}
        loaded = _saved(Image.fromarray(_NOISE), tmp_path / f"a.{suffix}", exif=exif, **options)
        np.testing.assert_array_equal(loaded, turned(_NOISE))


def test_adobe_rgb_that_only_the_camera_states(tmp_path):
    picture, _ = _in_gamut("adobe")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    options = {"exif": exif, "quality": 100, "subsampling": 0}
    loaded = _saved(Image.fromarray(picture), tmp_path / "_DSC1.jpg", **options)
    np.testing.assert_allclose(loaded[8, 8], _RED, atol=3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpg_that_lacks_only_its_end_marker_is_whole(tmp_path, progressive):
    stream = io.BytesIO()
    Image.fromarray(_NOISE).save(stream, "JPEG", quality=95, progressive=progressive)
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    whole = pictures.load(tmp_path / "a.jpg")
    for missing in (1, 2):
        (tmp_path / "b.jpg").write_bytes(stream.getvalue()[:-missing])
        np.testing.assert_array_equal(pictures.load(tmp_path / "b.jpg"), whole)
    (tmp_path / "b.jpg").write_bytes(stream.getvalue()[:-20])
    with pytest.raises(UserError, match="damaged or cut short"):
        pictures.load(tmp_path / "b.jpg")


def test_large_texts_of_a_png_do_not_matter(tmp_path):
    Image.fromarray(_NOISE).save(tmp_path / "a.png")
    _with_chunk(tmp_path / "a.png", b"zTXt", b"history\0\0" + zlib.compress(bytes(5 << 20)))
    _with_chunk(tmp_path / "a.png", b"iTXt", b"XML:x\0\0\0\0\0" + b"x" * (3 << 20))
    np.testing.assert_array_equal(pictures.load(tmp_path / "a.png"), _NOISE)


def test_heic_is_read_with_its_extra_and_named_without(tmp_path, monkeypatch):
    pytest.importorskip("pillow_heif").register_heif_opener()
    for name in ("a.heic", "a.jpg"):
        Image.fromarray(scene(0)).save(tmp_path / name, "HEIF", quality=95)
        loaded = pictures.load(tmp_path / name)
        assert np.abs(loaded.astype(int) - scene(0)).mean() < 4
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError, match=r"pip install 'painting_jax\[heif\]'"):
        pictures.load(tmp_path / "a.heic")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "I", "LAB"])
def test_every_kind_of_samples_is_read(tmp_path, mode):
    image = Image.new("I;16" if mode == "I;16" else mode if mode != "LAB" else "RGB", (16, 12), 0)
    if mode == "LAB":
        image = Image.frombytes("LAB", (16, 12), bytes((0, 0, 0)) * 192)
    path = tmp_path / f"a.{'tif' if mode in ('CMYK', 'LAB', 'I') else 'png'}"
    assert _saved(image, path).shape == (12, 16, 3)


def _tiled_tiff(picture_HWC: np.ndarray, side: int = 16) -> bytes:
    """A tiff without compression, in tiles."""
    height, width, _ = picture_HWC.shape
    down, across = -(-height // side), -(-width // side)
    padded = np.zeros((down * side, across * side, 3), np.uint8)
    padded[:height, :width] = picture_HWC
    tiles = padded.reshape(down, side, across, side, 3).swapaxes(1, 2).tobytes()
    count, size = down * across, side * side * 3
    entries = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 0), (259, 3, 1, 1)),
        *((262, 3, 1, 2), (277, 3, 1, 3), (322, 4, 1, side), (323, 4, 1, side)),
        *((324, 4, count, 0), (325, 4, count, 0)),
    ]
    behind = 8 + 2 + 12 * len(entries) + 4
    bits, offsets, sizes = behind, behind + 6, behind + 6 + 4 * count
    pixels = sizes + 4 * count
    where = {258: bits, 324: offsets, 325: sizes}
    return b"".join(
        [
            struct.pack("<2sHI", b"II", 42, 8),
            struct.pack("<H", len(entries)),
            *(struct.pack("<HHII", t, kind, n, where.get(t, v)) for t, kind, n, v in entries),
            struct.pack("<I", 0),
            struct.pack("<3H", 8, 8, 8),
            struct.pack(f"<{count}I", *(pixels + size * tile for tile in range(count))),
            struct.pack(f"<{count}I", *[size] * count),
            tiles,
        ]
    )


def test_a_tiff_may_be_tiled_or_big(tmp_path):
    (tmp_path / "tiled.tif").write_bytes(_tiled_tiff(_NOISE))
    np.testing.assert_array_equal(pictures.load(tmp_path / "tiled.tif"), _NOISE)
    Image.fromarray(_NOISE).save(tmp_path / "big.tif", big_tiff=True)
    assert (tmp_path / "big.tif").read_bytes()[2] == 43
    np.testing.assert_array_equal(pictures.load(tmp_path / "big.tif"), _NOISE)


@pytest.mark.parametrize("name", ["a.mpo", "a.jpg"])
def test_the_first_picture_of_a_stereo_camera_is_read(tmp_path, name):
    first, second = Image.fromarray(scene(0)), Image.fromarray(scene(1))
    first.save(tmp_path / name, "MPO", save_all=True, append_images=[second], quality=95)
    with Image.open(tmp_path / name) as image:
        assert image.n_frames == 2
    assert np.abs(pictures.load(tmp_path / name).astype(int) - scene(0)).mean() < 4


def test_a_webp_of_268_megapixels_takes_no_memory(tmp_path):
    size = (16383).to_bytes(2, "little") * 2
    frame = b"VP8 " + struct.pack("<I", 10) + b"\x10\0\0\x9d\x01\x2a" + size
    wide = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16382).to_bytes(3, "little") * 2
    for chunk in (frame, wide + frame):
        data = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
        (tmp_path / "a.webp").write_bytes(data)
        with pytest.raises(UserError, match=r"a\.webp has 16383x16383 pixels"):
            pictures.load(tmp_path / "a.webp")


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(UserError, match=r"x\.png is a pipe"):
        pictures.load(tmp_path / "x.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(UserError, match=r"gone\.png is a link to a file that does not exist"):
        pictures.load(tmp_path / "gone.png")
    (tmp_path / "5.png").mkdir()
    with pytest.raises(UserError, match=r"5\.png is a folder"):
        pictures.load(tmp_path / "5.png")
    (tmp_path / "a.nef").write_bytes(b"II*\0" + bytes(99))
    with pytest.raises(UserError, match=r"a\.nef is a raw photo"):
        pictures.load(tmp_path / "a.nef")


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(pictures.encode(scene(0), "png"))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(pictures.epath.Path(".")), "open", refuse)
    with pytest.raises(UserError, match=r"a\.png cannot be read: Permission denied"):
        pictures.load(tmp_path / "a.png")


def test_a_folder_lists_what_may_be_meant(tmp_path, monkeypatch):
    _touch(tmp_path, "1.jpg", "2.heic", "3.jxl", "4.psd", "5.mp4", "cat.txt", "list.json", "a.mp3")
    found = [os.path.basename(path) for path in pictures.list_pictures(tmp_path)]
    assert found == ["1.jpg", "2.heic", "3.jxl", "4.psd", "5.mp4"]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pictures.list_pictures("~/1.jpg") == [str(tmp_path / "1.jpg")]
    assert len(pictures.list_pictures("~/*.mp4")) == 1
