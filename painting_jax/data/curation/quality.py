"""How well a cleaned recording shows a painting process: a score with its reasons."""

import dataclasses

import cv2
import numpy as np

from painting_jax.data.curation.cleaning import Cleaned

_SIDE = 256  # pixels of the canvas's shorter side that are enough
_HIDDEN = 0.35  # share of the canvas that is hidden on average, from which on the score falls,
_MOSTLY = 0.8  # and at which it is 0
_NEVER = 0.1  # share of the canvas that is never seen, at which the score is 0
_FRAMES = 16  # frames that are enough
_SHARP = 4.0  # levels of 255 by which a finished picture differs from itself out of focus
_CHANGES = 0.2  # share of the canvas that a process changes at least


@dataclasses.dataclass(frozen=True)
class Quality:
    """The quality of a recording.

    Attributes:
      score: 0..1, the product of what each reason takes away; 1 is good.
      reasons: What lowers it, such as "a canvas of 120 pixels", the worst first.
    """

    score: float
    reasons: tuple[str, ...]


def quality(result: Cleaned) -> Quality:
    """Judges a cleaned recording."""
    frames_KHWC = result.frames_KHWC
    count, height, width, _ = frames_KHWC.shape
    hidden, never = float(result.occluded_KHW.mean()), float(result.never_HW.mean())
    first_HWC, last_HWC = (frames_KHWC[at].astype(np.float32) for at in (0, -1))
    changed = float((np.abs(last_HWC - first_HWC).max(-1) > 16).mean())
    soft_HWC = cv2.GaussianBlur(last_HWC, (0, 0), max(height, width) / 256)
    sharp = float(np.abs(last_HWC - soft_HWC).mean())
    judged = (
        (min(height, width) / _SIDE, f"a canvas of {min(height, width)} pixels"),
        (
            1 - (hidden - _HIDDEN) / (_MOSTLY - _HIDDEN),
            f"hands, tools and logos hide {hidden:.0%} of it at a time",
        ),
        (1 - never / _NEVER, f"{never:.1%} of it is never seen"),
        (count / _FRAMES, f"{count} different frames"),
        (sharp / _SHARP, "it is out of focus"),
        (changed / _CHANGES, f"only {changed:.0%} of it changes"),
    )
    low = sorted((max(0.0, share), reason) for share, reason in judged if share < 1)
    score = float(np.prod([share for share, _ in low]))
    return Quality(score, tuple(reason for _, reason in low))
