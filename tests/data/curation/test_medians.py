import numpy as np
import pytest

from painting_jax.data.curation import medians


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("count", [*range(1, 20), 48])
def test_median_equals_numpys(count, dtype):
    values_NX = np.random.default_rng(count).integers(0, 255, (count, 7, 5, 3))
    values_NX = values_NX.astype(dtype)
    found_X, expected_X = medians.median(values_NX), np.median(values_NX, 0)
    assert found_X.dtype == expected_X.dtype
    np.testing.assert_array_equal(found_X, expected_X)


def test_frames_larger_than_one_piece_are_whole():
    values_NX = np.random.default_rng(0).normal(size=(3, 200, 300)).astype(np.float32)
    np.testing.assert_array_equal(medians.median(values_NX), np.median(values_NX, 0))


def test_middle_values_of_an_even_number_are_both_given():
    low, high = medians.middle([np.array([value]) for value in (9, 2, 7, 4)])
    assert (low, high) == (4, 7)
