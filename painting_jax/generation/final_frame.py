"""Whether a painting ends in the picture that it was painted from."""

import numpy as np

from painting_jax.generation.job import Painted
from painting_jax.models.painting.conditioning import LUMA

# Largest mean difference of a painting that shows its picture, of 255. The demo's held-out
# paintings differ by up to 5; paintings that are visibly another picture, by 70 and more.
LIMIT = 20.0


def difference(painted: Painted) -> float:
    """Mean absolute difference of the last frame and the picture, 0..255.

    Where the medium has a single pigment, brightness alone is compared.
    """
    difference_HWC = painted.picture_HWC - painted.frames_THWC[-1].astype(np.float32)
    if painted.is_mono:
        return float(np.abs(difference_HWC @ LUMA).mean())
    return float(np.abs(difference_HWC).mean())


def warning(painted: Painted, differs: float) -> str | None:
    """A line about a painting that ends in another picture; None if it does not."""
    if differs <= LIMIT:
        return None
    return (
        f"warning: the last frame of {painted.job.folder} differs from its picture by "
        f"{differs:.0f} of 255 on average (more than {LIMIT:.0f}): the model may not know "
        "pictures like this one"
    )
