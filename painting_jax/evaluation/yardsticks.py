"""The built-in yardsticks as processes beside a recorded one."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from painting_jax.evaluation.videos import Video
from painting_jax.metrics import yardsticks

CROSS_FADE = "cross-fade"
BLUR_TO_SHARP = "blur-to-sharp"
OTHER_PICTURE = "process of another picture"
NAMES = (CROSS_FADE, BLUR_TO_SHARP, OTHER_PICTURE)


def from_picture(recorded: list[Video]) -> list[dict[str, Video]]:
    """For each recorded process, what leads from its blank canvas to its picture without painting.

    Args:
      recorded: of one number of frames and one shape.

    Returns:
      For each the yardsticks by name, at the progress of its frames.
    """
    blank_BHWC = np.stack([video.frames_THWC[0] for video in recorded])
    picture_BHWC = np.stack([video.frames_THWC[-1] for video in recorded])
    progress_BT = np.stack([video.progress_T for video in recorded])
    made = {
        CROSS_FADE: np.asarray(yardsticks.cross_fade(blank_BHWC, picture_BHWC, progress_BT)),
        BLUR_TO_SHARP: np.asarray(yardsticks.blur_to_sharp(blank_BHWC, picture_BHWC, progress_BT)),
    }
    return [
        {
            name: dataclasses.replace(video, frames_THWC=frames_BTHWC[b])
            for name, frames_BTHWC in made.items()
        }
        for b, video in enumerate(recorded)
    ]


def other_pictures(pictures: Sequence[str], media: Sequence[str]) -> list[int | None]:
    """For each recorded process the number of one of another picture, or None without any.

    Args:
      pictures: what identifies each one's picture.
      media: of each; one of the same medium is taken where there is one.
    """
    names = np.array(pictures)
    others = yardsticks.other_picture(names, np.array(media))
    return [
        None if names[number] == names[other] else int(other) for number, other in enumerate(others)
    ]
