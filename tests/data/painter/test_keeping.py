"""Results that are kept while one photo is painted in many media."""

import numpy as np

from painting_jax.data.painter.keeping import kept


def test_a_result_is_computed_once_for_the_last_two_pictures():
    computed = []

    @kept
    def total(picture: np.ndarray) -> int:
        computed.append(picture.shape)
        return int(picture.sum())

    one, two, three = (np.full(shape, 2, np.uint8) for shape in ((2, 3), (3, 2), (6,)))
    assert [total(one), total(two), total(one.copy()), total(two)] == [12] * 4
    assert computed == [(2, 3), (3, 2)], "equal bytes of another shape are another picture"
    total(three)
    total(one)
    assert computed == [(2, 3), (3, 2), (6,), (2, 3)]
    # Others of the same bytes and shape but another type, too.
    assert total(one.view(np.int8)) == 12
    assert len(computed) == 5
