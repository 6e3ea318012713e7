"""Layers as OpenRaster and Photoshop pictures, as other programs and our own readers see them."""

import io
import resource
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Resource

from painting_jax.data import video
from painting_jax.data.artwork.ora import open_ora
from painting_jax.data.artwork.psd import open_psd
from painting_jax.errors import UserError
from painting_jax.instruction.layers import ora, psd
from painting_jax.instruction.layers.cutting import cut
from tests.instruction.layers.paintings import noisy, painted
from tests.instruction.layers.readers import composed_ora, composed_psd, psnr

WRITERS = {"ora": (ora.write, open_ora), "psd": (psd.write, open_psd)}
# Markup, control characters, line ends, what no text may hold, turned writing, and another script.
HOSTILE = "</layer>&amp;\"'\x00\x1b\n\u2028\ud800\ufffe\u202e \u6cb9\u7d75 \U0001f3a8" + "x" * 400

formats = pytest.mark.parametrize("kind", WRITERS)


def write(path, frames_THWC, names=None, **options):
    layers = cut(frames_THWC, names or [f"step {n}" for n in range(len(frames_THWC))])
    WRITERS[path.suffix[1:]][0](path, layers, frames_THWC[-1], **options)
    return path


@pytest.fixture(scope="module")
def frames_THWC():
    return noisy(painted(frames=10), 1)


def test_pillow_composes_the_layers_of_an_ora_to_the_finished_picture(frames_THWC, tmp_path):
    states = composed_ora(write(tmp_path / "a.ora", frames_THWC))
    assert [psnr(*pair) > 40 for pair in zip(states, frames_THWC, strict=True)] == [True] * 10
    np.testing.assert_array_equal(states[-1], frames_THWC[-1])


def test_psd_tools_composes_the_layers_of_a_psd_to_the_finished_picture(frames_THWC, tmp_path):
    found_HWC = composed_psd(write(tmp_path / "a.psd", frames_THWC))
    assert psnr(found_HWC, frames_THWC[-1]) > 45


def test_a_program_that_shows_no_layers_shows_the_finished_picture(frames_THWC, tmp_path):
    with Image.open(write(tmp_path / "a.psd", frames_THWC)) as shown:
        np.testing.assert_array_equal(np.asarray(shown.convert("RGB")), frames_THWC[-1])
    with zipfile.ZipFile(write(tmp_path / "a.ora", frames_THWC)) as file:
        merged = Image.open(io.BytesIO(file.read("mergedimage.png")))
        np.testing.assert_array_equal(np.asarray(merged), frames_THWC[-1])


@formats
def test_our_own_reader_finds_a_state_for_each_step(kind, frames_THWC, tmp_path):
    opened = WRITERS[kind][1](write(tmp_path / f"a.{kind}", frames_THWC))
    *_, found_THWC = [np.stack(list(opened.pictures(range(len(opened)))))]
    # The first is a white page, since the ground is not of one colour throughout.
    assert len(found_THWC) == 11
    assert np.abs(found_THWC[1:].astype(int) - frames_THWC).max() <= 5
    assert np.abs(found_THWC[-1].astype(int) - frames_THWC[-1]).max() <= 1


@formats
def test_the_same_layers_make_the_same_bytes(kind, frames_THWC, tmp_path):
    one, two = (write(tmp_path / f"{name}.{kind}", frames_THWC[:3]) for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_an_ora_is_laid_out_as_its_specification_says(frames_THWC, tmp_path):
    path = write(tmp_path / "a.ora", frames_THWC[:3], ["ground", "sky", "boat"])
    assert path.read_bytes()[30:54] == b"mimetypeimage/openraster"
    with zipfile.ZipFile(path) as file:
        assert file.infolist()[0].compress_type == zipfile.ZIP_STORED
        thumbnail = Image.open(io.BytesIO(file.read("Thumbnails/thumbnail.png")))
        image = ElementTree.fromstring(file.read("stack.xml"))
    assert max(thumbnail.size) <= 256
    assert [layer.get("name") for layer in image.find("stack")] == ["boat", "sky", "ground"]


def test_a_large_picture_has_a_small_thumbnail(tmp_path):
    wide = np.full((2, 40, 1000, 3), 9, np.uint8)
    with zipfile.ZipFile(write(tmp_path / "a.ora", wide)) as file:
        assert Image.open(io.BytesIO(file.read("Thumbnails/thumbnail.png"))).size == (256, 10)


@formats
@pytest.mark.parametrize("shape", [(2, 1, 1, 3), (2, 1, 300, 3), (3, 9, 8, 3)])
def test_small_and_plain_processes_are_written(kind, shape, tmp_path):
    frames_THWC = np.full(shape, 77, np.uint8)
    path = write(tmp_path / f"a.{kind}", frames_THWC)
    found_HWC = composed_ora(path)[-1] if kind == "ora" else composed_psd(path)
    np.testing.assert_array_equal(found_HWC, frames_THWC[-1])


@formats
def test_no_name_breaks_a_file(kind, frames_THWC, tmp_path):
    path = write(tmp_path / f"a.{kind}", frames_THWC[:3], ["", HOSTILE, "\ud800"])
    opened = WRITERS[kind][1](path)
    assert len(list(opened.pictures(range(len(opened))))) == 4
    if kind == "psd":
        names = [layer.name for layer in PSDImage.open(path)]
    else:
        with zipfile.ZipFile(path) as file:
            image = ElementTree.fromstring(file.read("stack.xml"))
        names = [layer.get("name") for layer in image.find("stack")][::-1]
    assert names[1].startswith("</layer>&amp;\"'\\x00\\x1b\\n")
    assert "\u6cb9\u7d75" in names[1]


@formats
def test_metadata_are_carried(kind, frames_THWC, tmp_path):
    packet = video.provenance({"title": "a cat & <dog>", "comment": "made"})
    path = write(tmp_path / f"a.{kind}", frames_THWC[:2], xmp=packet)
    if kind == "psd":
        found = PSDImage.open(path).image_resources.get_data(Resource.XMP_METADATA)
    else:
        with zipfile.ZipFile(path) as file:
            merged = Image.open(io.BytesIO(file.read("mergedimage.png")))
        merged.load()
        found = merged.info["xmp"]
    assert found == packet


@formats
def test_a_full_disk_leaves_the_older_file_and_nothing_else(kind, frames_THWC, tmp_path):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(b"older")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path, frames_THWC)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_what_photoshop_cannot_hold_is_refused(tmp_path):
    with pytest.raises(UserError, match="30001x1 is too large for psd"):
        write(tmp_path / "a.psd", np.zeros((2, 1, 30_001, 3), np.uint8))
    assert not list(tmp_path.iterdir())
