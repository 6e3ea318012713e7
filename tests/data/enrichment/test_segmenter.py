"""What a network finds takes the form of the embedded segmentation."""

import numpy as np
import pytest

from painting_jax.data import remarks, segmentation
from painting_jax.data.enrichment import choice
from painting_jax.data.enrichment.segmenter import joined
from tests.data.enrichment import tiny_networks
from tests.data.test_segmentation import assert_labels_run_from_1_to_K


def test_regions_of_a_network_are_few_and_numbered_from_back_to_front(tmp_path):
    enrichment = choice.chosen(segments=str(tiny_networks.write_segmenter(tmp_path)))
    picture_HWC = tiny_networks.picture()
    labels_HW = enrichment.segments_of(picture_HWC, "cat")
    assert_labels_run_from_1_to_K(labels_HW, picture_HWC.shape[:2])
    assert 2 <= labels_HW.max() <= 8
    assert not np.array_equal(labels_HW, segmentation.segment(picture_HWC))
    # Of its own numbers nothing is left but the order in which they would be painted.
    np.testing.assert_array_equal(segmentation.in_painting_order(labels_HW, picture_HWC), labels_HW)


def test_where_a_network_finds_nothing_the_embedded_segmentation_is_kept(tmp_path):
    folder = tiny_networks.write_segmenter(tmp_path, finds=False)
    picture_HWC = tiny_networks.picture()
    with remarks.collected() as notes:
        labels_HW = choice.chosen(segments=str(folder)).segments_of(picture_HWC, "cat")
    np.testing.assert_array_equal(labels_HW, segmentation.segment(picture_HWC))
    assert notes == [f"cat: {folder} finds no segments: those of prepare are kept"]


def test_small_regions_join_the_neighbour_of_their_longest_border():
    labels_HW = np.zeros((50, 100), int)
    labels_HW[:, 50:] = 7
    labels_HW[20:24, 48:51] = 9  # mostly on the left
    joined_HW = joined(labels_HW)
    assert set(np.unique(joined_HW)) == {0, 1}
    assert joined_HW[22, 50] == joined_HW[22, 0]


@pytest.mark.parametrize("count", [8, 60])
def test_no_more_regions_are_left_than_the_embedded_segmentation_finds(count):
    labels_HW = np.repeat(np.arange(count), 5)[None].repeat(200, 0)
    assert joined(labels_HW).max() == 7


def test_regions_are_numbered_as_the_embedded_segmentation_numbers_them():
    picture_HWC = tiny_networks.picture()
    labels_HW = segmentation.segment(picture_HWC)
    shuffled = np.random.default_rng(0).permutation(200)[:9]
    numbered_HW = segmentation.in_painting_order(shuffled[labels_HW], picture_HWC)
    pairs = set(zip(labels_HW.ravel().tolist(), numbered_HW.ravel().tolist(), strict=True))
    assert len(pairs) == labels_HW.max() == numbered_HW.max()
    # The large ground comes first in both.
    assert (0, 0) not in pairs
    assert (1, 1) in pairs
