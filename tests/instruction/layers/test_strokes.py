"""Strokes of the stroke painter as an SVG: painted as before, drawn as they were painted."""

import io
import re
import resource
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from resvg_py import svg_to_bytes
from skimage.metrics import structural_similarity

from painting_jax.data import painter
from painting_jax.data.artwork.svg import open_svg
from painting_jax.data.painter import Manner
from painting_jax.errors import UserError
from painting_jax.instruction.layers import strokes_svg
from painting_jax.instruction.layers.strokes import Recorder
from tests.instruction.layers.readers import psnr
from tests.synthetic import scene

SVG = "{http://www.w3.org/2000/svg}"


def painted(photo_HWC, medium, **options):
    recorder = Recorder()
    painting = painter.paint(photo_HWC, medium, frames=3, seed=0, watch=recorder, **options)
    return recorder, painting.frames_THWC


def write(path, photo_HWC, medium="oil", **options):
    recorder, frames_THWC = painted(photo_HWC, medium, **options)
    strokes_svg.write(path, recorder, photo_HWC.shape[:2], title=medium)
    return recorder, frames_THWC[-1]


def drawn(path):
    data = bytes(svg_to_bytes(svg_string=path.read_text()))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("medium", ["oil", "charcoal", "watercolor"])
def test_who_watches_changes_nothing(medium):
    photo_HWC = scene(1, 64, 80)
    alone = painter.paint(photo_HWC, medium, frames=3, seed=0).frames_THWC
    np.testing.assert_array_equal(painted(photo_HWC, medium)[1], alone)


# A cover, a glaze, an eraser, a pigment on a rough ground; PSNR in decibels, and SSIM.
@pytest.mark.parametrize(
    ("medium", "least_psnr", "least_ssim"),
    [("oil", 24, 0.6), ("watercolor", 24, 0.7), ("charcoal", 22, 0.6), ("pastel", 24, 0.6)],
)
def test_the_drawing_is_the_painting_but_for_what_varies_in_a_stroke(
    tmp_path, medium, least_psnr, least_ssim
):
    _, last_HWC = write(tmp_path / "a.svg", scene(4, 96, 120), medium)
    found_HWC = drawn(tmp_path / "a.svg")
    alike = structural_similarity(found_HWC, last_HWC, channel_axis=2)
    assert psnr(found_HWC, last_HWC) > least_psnr
    assert alike > least_ssim


def test_our_own_reader_reads_the_strokes_one_by_one_from_the_ground(tmp_path):
    recorder, last_HWC = write(tmp_path / "a.svg", scene(4, 64, 80))
    opened = open_svg(tmp_path / "a.svg")
    assert len(opened) == len(recorder) + 2  # a white page, and the ground
    ground_HWC, half_HWC, all_HWC = opened.pictures([1, len(opened) // 2, len(opened) - 1])
    assert len(np.unique(ground_HWC.reshape(-1, 3), axis=0)) == 1
    small = (np.asarray(Image.fromarray(one).resize((80, 64))) for one in (half_HWC, all_HWC))
    half, whole = (psnr(one, last_HWC) for one in small)
    assert whole > 22
    assert half < whole


def test_there_is_a_group_a_pass_and_a_path_a_stroke_in_painted_order(tmp_path):
    recorder, _ = write(tmp_path / "a.svg", scene(4, 64, 80), "watercolor")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    groups = root.findall(f"{SVG}g")
    assert len(groups) == len(recorder.groups)
    assert len(root.findall(f".//{SVG}path[@stroke]")) == len(recorder)
    assert groups[0].find(f"{SVG}title").text == "1 contours, glaze"
    assert all(group.get("style") == "mix-blend-mode:multiply" for group in groups)
    begins = [group.begins for group in recorder.groups]
    assert begins == sorted(begins)


def test_a_layered_painting_ends_one_region_before_the_next(tmp_path):
    order = Manner.default("oil")
    layered, _ = painted(scene(4, 64, 80), "oil", manner=order)
    at_once, _ = painted(
        scene(4, 64, 80), "oil", manner=Manner("warm", "broad", "from the left", "alla prima")
    )
    names = [group.name for group in layered.groups]
    assert len(names) > len(at_once.groups) == 6
    assert names[0] == "contours, glaze"


def test_strokes_stay_in_their_region_where_the_painter_lays_regions(tmp_path):
    write(tmp_path / "a.svg", scene(4, 64, 80))
    text = (tmp_path / "a.svg").read_text()
    named = set(re.findall(r"url\(#(region\d+)\)", text))
    assert named == set(re.findall(r'clipPath id="(region\d+)"', text)) != set()


@pytest.mark.parametrize("medium", ["oil", "ink"])
@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 90, 3)])
def test_pictures_of_one_colour_and_of_any_shape_are_written(tmp_path, medium, shape):
    write(tmp_path / "a.svg", np.full(shape, 128, np.uint8), medium)
    assert drawn(tmp_path / "a.svg").shape == shape


def test_strokes_have_their_places_within_the_bars():
    photo_HWC = scene(4, 64, 80)
    barred_HWC = np.zeros((104, 80, 3), np.uint8)
    barred_HWC[20:84] = photo_HWC
    recorder, frames_THWC = painted(barred_HWC, "oil")
    assert frames_THWC.shape[1:3] == (104, 80)
    y = np.concatenate([group.lines.points_N32[..., 1].ravel() for group in recorder.groups])
    assert y.max() < 80


def test_the_same_painting_makes_the_same_bytes(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.svg", scene(2))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_no_title_breaks_a_file(tmp_path):
    recorder, _ = painted(scene(2), "oil")
    title = "</title><script>&\x00\n\ud800\u202e \u6cb9\u7d75"
    strokes_svg.write(tmp_path / "a.svg", recorder, (40, 56), title=title)
    found = ElementTree.parse(tmp_path / "a.svg").getroot().find(f"{SVG}title").text
    assert found == "</title><script>&\\x00\\n\\ud800\\u202e \u6cb9\u7d75"


def test_too_many_strokes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(strokes_svg, "MOST_STROKES", 10)
    with pytest.raises(UserError, match="strokes are too many for an svg, of at most 10: ask"):
        write(tmp_path / "a.svg", scene(2))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.svg"
    path.write_bytes(b"older")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path, scene(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]
