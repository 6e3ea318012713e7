"""Padding of tokens for the sequence axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.padding import Padding


@pytest.mark.parametrize(
    ("sequence", "frames", "tokens", "padded"),
    [(1, 21, 1560, 1560), (8, 21, 1560, 1560), (8, 3, 4, 8), (8, 4, 5, 6), (4, 31, 22, 24)],
)
def test_frames_are_padded_by_the_least(sequence, frames, tokens, padded):
    mesh = make_mesh({"data": -1, "sequence": sequence})
    with jax.set_mesh(mesh):
        padding = Padding.of(frames, tokens)
    assert padding.padded == padded
    assert frames * padded % sequence == 0
    x_BSD = jnp.arange(2 * frames * tokens * 3.0).reshape(2, frames * tokens, 3)
    wide = padding.pad(x_BSD)
    assert wide.shape == (2, frames * padded, 3)
    np.testing.assert_array_equal(padding.cut(wide), x_BSD)
    assert float(wide.sum()) == pytest.approx(float(x_BSD.sum()))


def test_without_a_mesh_there_is_none():
    assert Padding.of(3, 5) == Padding(3, 5, 5)
