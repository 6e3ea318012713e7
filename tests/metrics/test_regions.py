"""Regions: their distances, when they are finished, and whether two orders agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from painting_jax.metrics import fidelity, regions


def _halves(order=(0, 1), frames=9):
    """Left and right half of a canvas painted one after the other, and their labels."""
    picture = np.full((16, 16, 3), (40, 60, 160), np.uint8)
    picture[:, 8:] = (170, 40, 50)
    label_HW = np.ones((16, 16), np.uint8)
    label_HW[:, 8:] = 2
    frames_THWC = np.full((frames, 16, 16, 3), 245, np.uint8)
    for half, start in zip(order, (2, 5), strict=True):
        frames_THWC[start:, :, 8 * half : 8 * half + 8] = picture[:, 8 * half : 8 * half + 8]
    return frames_THWC, picture, label_HW


def test_region_distances_equal_plain_means():
    rng = np.random.default_rng(0)
    distance_BTHW = rng.uniform(size=(2, 3, 12, 10)).astype(np.float32)
    label_BHW = rng.integers(0, 5, (2, 12, 10)).astype(np.uint8)
    label_BHW[1][label_BHW[1] == 2] = 1
    found_BRT, share_BR = regions.by_region(distance_BTHW, label_BHW, regions=4)
    for b in range(2):
        for r in range(4):
            inside_HW = label_BHW[b] == r + 1
            np.testing.assert_allclose(share_BR[b, r], inside_HW.mean(), rtol=1e-6)
            expected = distance_BTHW[b][:, inside_HW].mean(1) if inside_HW.any() else 0
            np.testing.assert_allclose(found_BRT[b, r], expected, rtol=1e-5)
    assert share_BR[1, 1] == 0


def test_colour_map_is_the_colour_difference_of_every_frame():
    frames_THWC, picture, _ = _halves()
    found = regions.colour_map(frames_THWC[None], picture[None])[0]
    np.testing.assert_allclose(found, fidelity.colour_difference(frames_THWC, picture), rtol=1e-6)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_regions_are_finished_in_the_order_they_were_painted(order):
    frames_THWC, picture, label_HW = _halves(order)
    distance_BRT, share_BR = regions.by_region(
        regions.colour_map(frames_THWC[None], picture[None]), label_HW[None], regions=3
    )
    progress_BT = np.linspace(0, 1, 9, dtype=np.float32)[None]
    finished_BR = regions.finished_at(distance_BRT, progress_BT, np.ones((1, 9), bool))
    expected = np.array([2 / 8, 5 / 8])[list(np.argsort(order))]
    np.testing.assert_allclose(finished_BR[0, :2], expected, rtol=1e-6)
    assert share_BR[0, 2] == 0


def test_a_region_is_finished_only_when_it_stays_so():
    progress_BT = np.linspace(0, 1, 5, dtype=np.float32)[None]
    curves_BRT = np.array(
        [[[1, 0, 1, 0.1, 0], [1, 0.9, 0.8, 0.7, 0.6], [0, 0, 0, 0, 0]]], np.float32
    )
    mask_BT = np.ones((1, 5), bool)
    found = regions.finished_at(curves_BRT, progress_BT, mask_BT)
    np.testing.assert_array_equal(found, [[0.75, np.inf, 0]])
    padded = np.pad(curves_BRT, [(0, 0), (0, 0), (0, 3)], constant_values=9)
    found = regions.finished_at(
        padded, np.pad(progress_BT, [(0, 0), (0, 3)]), np.arange(8)[None] < 5
    )
    np.testing.assert_array_equal(found, [[0.75, np.inf, 0]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_agreement_equals_scipys_kendall(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, (2, 8)).astype(np.float32)
    a[rng.integers(8)] = np.inf
    mask = np.arange(8) < rng.integers(2, 9)
    expected = stats.kendalltau(np.where(np.isinf(a), 99, a)[mask], b[mask]).statistic
    found = regions.agreement(a[None], b[None], mask[None])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
