"""Is a process in the order it was painted, or does it run backwards?"""

import dataclasses

import numpy as np

from painting_jax.evaluation.measures import PAINTED, REVERSED
from painting_jax.evaluation.padding import row
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import direction

AUTO = "auto"
ORDERS = (AUTO, PAINTED, REVERSED)

# Of two ways to lay a video over a recorded process, one is believed when its ends fit so much
# better.
_CLEARLY = 0.5


def of(video: Video, recorded: Video | None = None) -> str:
    """`PAINTED` or `REVERSED`; where nothing tells, `PAINTED`.

    Args:
      video: the process.
      recorded: of the same picture and shape, in painted order: then its ends tell, if they do.
    """
    if recorded is not None:
        ends = [x.frames_THWC[[0, -1]].astype(np.float32) for x in (video, recorded)]
        forwards, backwards = (np.abs(ends[0][::s] - ends[1]).mean() for s in (1, -1))
        if backwards < _CLEARLY * forwards:
            return REVERSED
        if forwards < _CLEARLY * backwards:
            return PAINTED
    found = direction.direction(*row(video.frames_THWC))
    return REVERSED if int(found.sign_B[0]) < 0 else PAINTED


def turned(video: Video) -> Video:
    """A video that ran backwards, in painted order."""
    return dataclasses.replace(
        video,
        frames_THWC=np.ascontiguousarray(video.frames_THWC[::-1]),
        progress_T=1 - video.progress_T[::-1],
        order=REVERSED,
    )
