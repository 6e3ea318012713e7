"""The numbered map of regions, and other orders of painting."""

import numpy as np
import pytest

from painting_jax.data import region_map

LABELS = np.zeros((60, 90), np.uint8)
LABELS[:, 30:60], LABELS[:, 60:] = 2, 3
LABELS[40:, 60:] = 7


def test_regions_are_outlined_and_numbered_inside():
    picture = np.full((60, 90, 3), 90, np.uint8)
    shown = region_map.numbered(picture, LABELS)
    assert shown.shape == picture.shape
    plain = shown[5, 35]
    dark = (shown.astype(int).sum(-1) < plain.astype(int).sum() - 150).astype(int)
    for columns in ((30, 60), (60, 90)):
        assert dark[:, columns[0] + 4 : columns[1] - 4].any(), "a number"
    assert not dark[:, 4:26].any(), "none where nothing is labelled"
    assert dark[:40, 58:62].any(1).all(), "an outline"
    np.testing.assert_array_equal(picture, 90)


def test_named_regions_come_first_and_the_others_keep_their_order():
    result = region_map.reordered(LABELS, (7, 2))
    assert {int(a): int(b) for a, b in zip(LABELS.ravel(), result.ravel(), strict=True)} == {
        0: 0,
        7: 1,
        2: 2,
        3: 3,
    }
    np.testing.assert_array_equal(region_map.reordered(result, ()), result)


@pytest.mark.parametrize("order", [(1,), (0,), (2, 2), (300,)])
def test_an_order_of_other_regions_is_an_error(order):
    with pytest.raises(ValueError, match="order"):
        region_map.reordered(LABELS, order)
