import os

import pytest
from PIL import Image

from painting_jax.data import file_kinds
from painting_jax.data.file_kinds import Kind
from painting_jax.errors import UserError
from tests.data import movies


@pytest.mark.parametrize(
    ("format", "suffix"),
    [
        *(("JPEG", "jpg"), ("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp"), ("AVIF", "avif")),
        *(("TIFF", "tif"), ("BMP", "bmp"), ("JPEG2000", "jp2"), ("HEIF", "heic")),
    ],
)
@pytest.mark.parametrize("named", [None, "mp4", "dat"])
def test_a_picture_is_one_whatever_its_suffix(tmp_path, format, suffix, named):
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    path = tmp_path / f"a.{named or suffix}"
    Image.new("RGB", (64, 48)).save(path, format)
    assert file_kinds.kind(path) is Kind.PICTURE
    assert file_kinds.is_heif(path) == (format == "HEIF")


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *(("mp4", "libx264"), ("mov", "mpeg4"), ("mkv", "libx264"), ("webm", "libvpx")),
        *(("avi", "mpeg4"), ("ts", "libx264"), ("mpg", "mpeg2video"), ("wmv", "wmv2")),
        *(("flv", "flv"), ("3gp", "mpeg4"), ("mxf", "mpeg2video"), ("m2v", "mpeg2video")),
    ],
)
@pytest.mark.parametrize("named", [None, "gif", "dat"])
def test_a_video_is_one_whatever_its_suffix(tmp_path, suffix, codec, named):
    path = tmp_path / f"a.{suffix}"
    movies.write(path, movies.filling(3), codec, rate=25)
    path = path.rename(tmp_path / f"b.{named or suffix}")
    assert file_kinds.kind(path) is Kind.VIDEO


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.mp4", b"no video", Kind.VIDEO),
        ("a.jpg", b"", Kind.PICTURE),
        ("a.cr2", b"II*\0", Kind.PICTURE),
        ("a.json", b"{}", Kind.COMPANION),
        ("cat.txt", b"a cat", Kind.COMPANION),
        ("song.mp3", b"ID3", Kind.COMPANION),
        ("a.psd", b"8BPS", Kind.ARTWORK),
        ("a.zip", b"PK\3\4", Kind.OTHER),
        ("README", b"Go on\n" * 200, Kind.OTHER),
        ("a", b"", Kind.OTHER),
    ],
)
def test_other_files_are_what_they_are_named(tmp_path, name, content, kind):
    (tmp_path / name).write_bytes(content)
    assert file_kinds.kind(tmp_path / name) is kind


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    assert file_kinds.kind(tmp_path / "x.png") is Kind.PICTURE
    with pytest.raises(UserError, match=r"x\.png is a pipe"):
        file_kinds.check_regular(tmp_path / "x.png")
