"""Regions are split, merged and ordered as a person says, and always in the same way."""

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.studio.regions import Regions
from tests.studio import rooms


@pytest.fixture(scope="module")
def picture_HWC() -> np.ndarray:
    """A blue half and a red half with a yellow square in it."""
    picture_HWC = np.zeros((60, 80, 3), np.uint8)
    picture_HWC[:, :40] = (60, 90, 200)
    picture_HWC[:, 40:] = (200, 40, 40)
    picture_HWC[20:40, 50:70] = (240, 220, 60)
    return picture_HWC


def test_a_split_makes_what_is_like_the_clicked_place_a_region(picture_HWC):
    merged = Regions.of(picture_HWC)
    edits = []
    while len(merged.numbers) > 1:
        edits.append({"merge": merged.numbers[:2]})
        merged = Regions.of(picture_HWC, edits)
    split = Regions.of(picture_HWC, [*edits, {"split": merged.numbers[0], "at": [0.1, 0.5]}])
    new = max(split.numbers)
    assert split.labels_HW[30, 8] == new
    assert split.labels_HW[30, 45] != new
    assert (split.labels_HW[:, :38] == new).mean() > 0.95


def test_the_same_changes_give_the_same_regions(picture_HWC):
    edits = [{"split": 1, "at": [0.2, 0.2]}, {"merge": [1, 2]}]
    first, second = (Regions.of(picture_HWC, edits).labels_HW for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_order_numbers_the_regions_and_the_others_follow(picture_HWC):
    regions = Regions.of(picture_HWC)
    last = regions.numbers[-1]
    ordered_HW = regions.ordered([last])
    np.testing.assert_array_equal(ordered_HW == 1, regions.labels_HW == last)
    assert np.unique(ordered_HW).tolist() == [*range(1, len(regions.numbers) + 1)]


@pytest.mark.parametrize(
    "edit",
    [
        {"merge": [1, 99]},
        {"merge": [1, 1]},
        {"split": 99, "at": [0, 0]},
    ],
)
def test_changes_of_what_is_not_there_are_refused(picture_HWC, edit):
    with pytest.raises(UserError):
        Regions.of(picture_HWC, [edit])


def test_an_even_region_of_one_pixel_is_not_split():
    flat_HWC = np.full((40, 40, 3), 90, np.uint8)
    regions = Regions(flat_HWC, np.pad(np.full((1, 1), 2, np.uint8), (0, 39), constant_values=1))
    with pytest.raises(UserError, match="too small"):
        regions.split(2, 0.0, 0.0)


def test_the_page_is_told_of_each_region_and_of_mistakes_in_a_line(tmp_path):
    with rooms.browser(rooms.studio(tmp_path)) as client:
        key = rooms.sent(client)
        told = client.post("/api/regions", json={"picture": key}).json()
        assert told["map"].startswith("data:image/png;base64,")
        for region in told["regions"]:
            assert len(region["colour"]) == 3
            assert 0 < region["share"] <= 1
        for edits in ([{"merge": [1]}], [{"merge": [200, 201]}], "x", [[]], [{"merge": []}]):
            refused = client.post("/api/regions", json={"picture": key, "edits": edits})
            assert refused.status_code == 400, refused.text
            assert refused.json()["error"]
