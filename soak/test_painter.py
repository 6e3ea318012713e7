"""The painter works on pictures of any size and content, in every medium and manner."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from painting_jax import media
from painting_jax.data.painter import Manner, paint


@settings(max_examples=500, deadline=None)
@given(
    medium=st.sampled_from(list(media.MEDIA)),
    height=st.integers(8, 200),
    width=st.integers(8, 200),
    colours=st.integers(1, 256),
    frames=st.integers(2, 12),
    seed=st.integers(0, 2**31),
)
def test_every_picture_is_painted_from_blank_to_finished(
    medium, height, width, colours, frames, seed
):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, colours, (height // 8 + 1, width // 8 + 1, 3))
    photo_HWC = blocks.repeat(8, 0).repeat(8, 1)[:height, :width].astype(np.uint8)
    manner = Manner.sample(medium, rng)
    painting = paint(photo_HWC, medium, frames=frames, seed=seed, manner=manner)
    assert painting.frames_THWC.shape == (frames, height, width, 3)
    assert np.ptp(painting.frames_THWC[0].reshape(-1, 3), axis=0).max() == 0
    assert np.all(np.diff(painting.progress_T) > 0)
    labels = np.unique(painting.segments_HW)
    np.testing.assert_array_equal(labels, np.arange(1, len(labels) + 1))
