"""What the pixels say of a process."""

import numpy as np
import pytest

from painting_jax.evaluation import on_canvas
from painting_jax.evaluation.videos import Video


def test_what_a_codec_makes_of_bare_paper_is_no_order_of_regions():
    """A drawing beside a stretch of paper, and the same as a lossy file has it."""
    segments_HW = np.repeat(np.arange(1, 5, dtype=np.uint8), 16)[None].repeat(64, 0)
    frames = np.full((9, 64, 64, 3), 250, np.uint8)
    for region, begins in enumerate((2, 4, 6)):
        frames[begins:, :, 16 * region : 16 * (region + 1)] = 60
    noise = np.random.default_rng(0).integers(-2, 3, frames.shape)
    lossy = np.clip(frames.astype(int) + noise, 0, 255).astype(np.uint8)
    recorded, copy = (
        Video("cat", each, np.linspace(0, 1, 9, dtype=np.float32)) for each in (frames, lossy)
    )
    numbers = {"recorded": {}, "copy": {}}
    on_canvas.measure({"copy": copy}, recorded, segments_HW, numbers)
    assert numbers["copy"]["region_order"] == pytest.approx(1)
