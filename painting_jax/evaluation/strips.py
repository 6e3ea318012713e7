"""What a reader of a report looks at: a few frames of each process, side by side."""

import dataclasses
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from painting_jax.evaluation.videos import Video
from painting_jax.metrics import perceptual

# A strip shows at most so many frames, at most so high: larger ones only make a page heavy.
_FRAMES, _HEIGHT = 9, 192


@dataclasses.dataclass(frozen=True)
class Strip:
    """Frames of one picture's processes, at the same progress, as webp files.

    Attributes:
      name: of the process.
      medium: a name from the registry, or "".
      progress_S: of the frames.
      shape_HW: of one frame, as shown.
      rows: by method, S frames side by side.
      given: the picture that was to be painted; b"" where it is not known.
      video: path of the process's video within a report, where there is one.
      why: it is shown, where there is a reason.
    """

    name: str
    medium: str
    progress_S: np.ndarray
    shape_HW: tuple[int, int]
    rows: Mapping[str, bytes]
    given: bytes = b""
    video: str = ""
    why: str = ""


def strip(videos: Mapping[str, Video], *, input_HWC: np.ndarray | None = None) -> Strip:
    """Frames of each video at evenly spread progress; where there are fewer, all of them.

    The first video gives the strip its name, its medium and the shape of its frames.
    """
    first = next(iter(videos.values()))
    columns = min(_FRAMES, max(len(video.frames_THWC) for video in videos.values()))
    progress_S = np.linspace(0, 1, columns)
    shape_HW = _shown_shape(first.frames_THWC[0])
    rows = {
        method: _webp(
            np.concatenate(
                [
                    _shrunk(video.frames_THWC[t], shape_HW)
                    for t in perceptual.nearest(video.progress_T, progress_S)
                ],
                axis=1,
            )
        )
        for method, video in videos.items()
    }
    given = b"" if input_HWC is None else _webp(_shrunk(input_HWC, _shown_shape(input_HWC)))
    return Strip(first.name, first.medium, progress_S, shape_HW, rows, given)


def _shown_shape(picture_HWC: np.ndarray) -> tuple[int, int]:
    height, width = picture_HWC.shape[:2]
    shown = min(height, _HEIGHT)
    return shown, max(1, round(width * shown / height))


def _shrunk(picture_HWC: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
    if picture_HWC.shape[:2] == shape_HW:
        return picture_HWC
    size = shape_HW[::-1]
    return np.asarray(Image.fromarray(picture_HWC).resize(size, Image.Resampling.LANCZOS))


def _webp(picture_HWC: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture_HWC).save(buffer, "WEBP", quality=88, method=4)
    return buffer.getvalue()
