import time

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from painting_jax.data import photos, segmentation
from painting_jax.errors import UserError
from painting_jax.instruction.outline import beziers, detail, outlines
from tests.instruction.outline import scenes


def _photo(name: str, side: int = 512) -> np.ndarray:
    (photo,) = (photo for photo in photos.packaged() if photo.name == name)
    image = Image.open(photo.path).convert("RGB")
    image.thumbnail((side, side))
    return np.asarray(image)


def _drawn(outline: outlines.Outline) -> np.ndarray:
    """Pixels that the borders cross."""
    drawn_HW = np.zeros((outline.height, outline.width), bool)
    for line in outline.lines:
        if not line.inner:
            x_P, y_P = beziers.along(line.xy_C2, 0.5).astype(int).T
            drawn_HW[y_P.clip(0, outline.height - 1), x_P.clip(0, outline.width - 1)] = True
    return drawn_HW


def _borders(labels_HW: np.ndarray) -> np.ndarray:
    """Pixels at both sides of a border."""
    borders_HW = np.zeros(labels_HW.shape, bool)
    down_HW, across_HW = labels_HW[1:] != labels_HW[:-1], labels_HW[:, 1:] != labels_HW[:, :-1]
    for part_HW in (borders_HW[1:], borders_HW[:-1]):
        part_HW |= down_HW
    for part_HW in (borders_HW[:, 1:], borders_HW[:, :-1]):
        part_HW |= across_HW
    return borders_HW


@pytest.mark.parametrize("name", ["chelsea", "coffee", "china"])
def test_lines_cover_the_borders_of_photos_with_few_nodes(name):
    picture_HWC = _photo(name)
    labels_HW = segmentation.segment(picture_HWC)
    outline = outlines.of(labels_HW, picture_HWC)
    drawn_HW, borders_HW = _drawn(outline), _borders(labels_HW)
    recall = (ndimage.distance_transform_edt(~drawn_HW)[borders_HW] <= 2).mean()
    precision = (ndimage.distance_transform_edt(~borders_HW)[drawn_HW] <= 2).mean()
    assert recall >= 0.95
    assert precision >= 0.95
    assert outline.nodes <= 800 < detail.level("normal").nodes


def test_a_slanting_border_has_no_steps():
    y_HW, x_HW = np.mgrid[:600, :768]
    outline = outlines.of(np.where(3 * y_HW > x_HW + 500, 2, 1))
    (line,) = outline.lines
    x_P, y_P = beziers.along(line.xy_C2, 1).T
    away_P = (3 * y_P - x_P - 500) / np.sqrt(10)
    assert np.ptp(away_P) < 1.2
    assert line.nodes <= 4


@pytest.mark.parametrize("side", [64, 200, 1500])
def test_a_disc_is_round_at_every_size_of_the_picture(side):
    (line,) = outlines.of(scenes.disc(side)).lines
    radius_P = np.hypot(*(beziers.along(line.xy_C2, side / 100) - side / 2).T)
    assert line.closed
    assert np.abs(radius_P / (side / 4) - 1).max() < 0.03
    assert line.nodes <= 16


def test_lines_meet_in_one_point_where_three_regions_meet():
    outline = outlines.of(scenes.thirds())
    through, third = sorted(outline.lines, key=lambda line: -len(line.xy_C2))
    gap_N = np.abs(through.xy_C2[::3] - third.xy_C2[[0, -1]][:, None]).max(-1)
    assert gap_N.min() == 0


def test_every_region_keeps_its_label_and_has_its_middle_inside():
    labels_HW = scenes.thirds()
    outline = outlines.of(labels_HW)
    assert [region.label for region in outline.regions] == [7, 3, 5]
    assert outline.lost == ()
    for region in outline.regions:
        assert labels_HW[int(region.y), int(region.x)] == region.label
        assert region.area == pytest.approx((labels_HW == region.label).sum(), rel=0.02)
        assert region.radius == pytest.approx(75, rel=0.05)


def test_specks_and_slivers_are_joined_and_lost_labels_named():
    labels_HW = scenes.thirds()
    clean = outlines.of(labels_HW)
    labels_HW[40:44, 40:44] = 9
    labels_HW[100:250, 90] = 9
    labels_HW[20, 200:300] = 3
    outline = outlines.of(labels_HW)
    assert outline.lost == (9,)
    assert len(outline.lines) == len(clean.lines)


def test_stripes_too_thin_to_paint_are_not_drawn():
    labels_HW = np.arange(768)[None].repeat(300, 0) // 8 % 2
    # The first and the last, which have one neighbour, may share the picture.
    assert len(outlines.of(labels_HW, None, "simple").lines) <= 1


def test_edges_inside_regions_need_the_picture_and_are_marked():
    y_HW, x_HW = np.mgrid[:384, :512]
    ring_HW = np.abs(np.hypot(x_HW - 256, y_HW - 192) - 90) < 20
    picture_HWC = np.where(ring_HW[..., None], 60, 200).astype(np.uint8).repeat(3, -1)
    labels_HW = np.ones((384, 512), int)
    assert outlines.of(labels_HW).lines == ()
    lines = outlines.of(labels_HW, picture_HWC).lines
    assert lines
    assert all(line.inner for line in lines)
    radius_P = np.hypot(*(np.concatenate([line.xy_C2[::3] for line in lines]) - (256, 192)).T)
    assert np.minimum(np.abs(radius_P - 70), np.abs(radius_P - 110)).max() < 3


def test_more_detail_has_more_nodes_within_its_bound():
    picture_HWC = _photo("coffee", 256)
    labels_HW = segmentation.segment(picture_HWC)
    counts = [outlines.of(labels_HW, picture_HWC, name).nodes for name in detail.NAMES]
    assert counts == sorted(set(counts))
    assert all(
        count <= detail.level(name).nodes for count, name in zip(counts, detail.NAMES, strict=True)
    )


def test_noise_of_four_megapixels_is_bounded_in_nodes_and_time():
    rng = np.random.default_rng(0)
    labels_HW = rng.integers(0, 2, (2000, 2000), dtype=np.uint8)
    begin = time.process_time()
    outline = outlines.of(labels_HW, None, "normal")
    assert 0 < outline.nodes <= detail.level("normal").nodes
    assert time.process_time() - begin < 30


def test_the_bound_holds_where_the_tolerance_alone_cannot(monkeypatch):
    monkeypatch.setitem(
        detail._LEVELS, "simple", detail.Detail(30, 60, 100, 2, 1, 2, 0.5, 10, 20, 0.1, 2)
    )
    y_HW, x_HW = np.mgrid[:400, :400]
    outline = outlines.of((x_HW // 50 + y_HW // 50) % 3, None, "simple")
    assert 0 < outline.nodes <= 30


def test_the_same_picture_has_the_same_outline():
    picture_HWC = _photo("china", 256)
    labels_HW = segmentation.segment(picture_HWC)
    one, other = (outlines.of(labels_HW, picture_HWC) for _ in range(2))
    assert len(one.lines) == len(other.lines)
    for line, same in zip(one.lines, other.lines, strict=True):
        assert (line.xy_C2 == same.xy_C2).all()


def test_a_detail_that_is_none_is_a_mistake():
    with pytest.raises(UserError, match="simple, normal, fine, not finest"):
        outlines.of(np.ones((4, 4), int), None, "finest")


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 90), (90, 3)])
def test_tiny_maps_have_an_outline(shape):
    labels_HW = np.arange(np.prod(shape)).reshape(shape) % 3
    assert outlines.of(labels_HW, np.zeros((*shape, 3), np.uint8)).regions


def test_maps_that_are_none_are_refused():
    with pytest.raises(ValueError, match="256 different"):
        outlines.of(np.arange(256).reshape(16, 16))
    with pytest.raises(ValueError, match="of a picture"):
        outlines.of(np.ones((4, 4), int), np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="0 different"):
        outlines.of(np.ones((0, 4), int))
