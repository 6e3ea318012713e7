"""The verb verify: lines, exit statuses, and files that it cannot read."""

import os
import struct
import zlib

import numpy as np
import pytest

from painting_jax.data import pictures, video
from painting_jax.generation import outputs
from tests.synthetic import recording
from tests.verbs import Verb


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    return Verb("verify", tmp_path_factory.mktemp("verify"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cat-oil"
    parameters = {"medium": {"oil": 1.0}}
    return outputs.write(folder, recording(), title="cat", model="tiny", parameters=parameters)


def test_each_file_gets_a_line_whatever_is_found(verify, made, tmp_path):
    video.write_mp4(tmp_path / "other.mp4", recording(1), fps=4)
    done = verify(made / "process.mp4", tmp_path / "other.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{made}/process.mp4: made by painting_jax on 20")
    assert second == f"{tmp_path}/other.mp4: no mark found; no metadata of painting_jax"


def test_the_others_are_read_if_one_cannot_be(verify, made, tmp_path):
    (tmp_path / "text.txt").write_text("no picture")
    done = verify(tmp_path / "none.png", made / "process.webp", tmp_path / "text.txt")
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1
    assert [line.partition("/")[0] for line in done.stderr.splitlines()] == ["error: "] * 2


def _bad(folder, name: str) -> str:
    """Writes the file that the name stands for."""
    path = folder / name
    if name == "cut.mp4":
        video.write_mp4(path, recording(count=12), fps=4)
        path.write_bytes(path.read_bytes()[:1500])
    elif name == "cut.png":
        noise_HWC = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
        path.write_bytes(pictures.encode(noise_HWC, "png")[:2000])
    elif name == "huge.png":
        header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
        check = struct.pack(">I", zlib.crc32(header))
        pixels = b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
        path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + check + pixels)
    elif name == "pipe.mp4":
        os.mkfifo(path)
    elif name == "folder":
        path.mkdir()
    elif name != "none.mp4":
        path.write_bytes(b"some text" if name.startswith("text") else b"")
    return str(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.mp4", "none.mp4 does not exist"),
        ("empty.mp4", "empty.mp4 is not a readable video"),
        ("empty.png", "empty.png is not a picture"),
        ("text.txt", "text.txt is not a picture"),
        ("text.mp4", "text.mp4 is not a readable video"),
        ("cut.mp4", "cut.mp4 "),
        ("cut.png", "cut short"),
        ("huge.png", "more than 64 megapixels"),
        ("pipe.mp4", "is a pipe, a socket or a device"),
        ("folder", "is a folder: name pictures or videos in it"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_status_2(verify, tmp_path, name, said):
    verify.refuses(_bad(tmp_path, name), said=said)


def test_mistakes_in_the_command_are_one_line_and_status_2(verify):
    verify.refuses(said="name pictures or videos")
    verify.refuses("", said="the name of a file is empty")
    verify.refuses("s3://bucket/a.png", said="needs the package s3fs")
    verify.refuses("--mark", said="Unknown command line flag")


def test_help_says_what_is_printed(verify):
    done = verify("--help")
    assert done.returncode == 0
    assert "python -m painting_jax.verify FILE..." in done.stdout


def test_generate_takes_no_mark(tmp_path):
    assert "--[no]mark: Mark every frame" in Verb("generate", tmp_path)("--help").stdout
