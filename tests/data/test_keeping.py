"""Results that are kept for pictures that come again."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from painting_jax.data import keeping
from painting_jax.data.keeping import kept


def counted():
    computed = []

    @kept
    def total(picture: np.ndarray) -> int:
        computed.append(picture.shape)
        return int(picture.sum())

    return total, computed


def test_a_result_is_computed_once_for_equal_pictures():
    total, computed = counted()
    one, two = (np.full(shape, 2, np.uint8) for shape in ((2, 3), (3, 2)))
    assert [total(one), total(two), total(one.copy()), total(two)] == [12] * 4
    assert computed == [(2, 3), (3, 2)], "equal bytes of another shape are another picture"
    # Others of the same bytes and shape but another type, too.
    assert total(one.view(np.int8)) == 12
    assert len(computed) == 3


def test_the_pictures_longest_unused_are_forgotten(monkeypatch):
    monkeypatch.setattr(keeping, "_BYTES", 20)
    total, computed = counted()
    one, two, three = (np.full(8, value, np.uint8) for value in (1, 2, 3))
    for picture in (one, two, one, three, one, two):
        total(picture)
    # The second had to go for the third.
    assert len(computed) == 4
    large = np.zeros(100, np.uint8)
    assert total(large) == total(large) == 0
    assert len(computed) == 5, "the last is kept, however large"


def test_threads_get_the_same_results():
    total, _ = counted()
    pictures = [np.full(64, value, np.uint8) for value in range(8)] * 50
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(total, pictures)) == [64 * int(p[0]) for p in pictures]
