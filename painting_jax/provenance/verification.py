"""What the mark and the metadata of a file say together, as a line."""

import numpy as np
from etils import epath

from painting_jax.data import pictures, video
from painting_jax.errors import UserError
from painting_jax.provenance import metadata
from painting_jax.provenance.detection import detect
from painting_jax.provenance.metadata import Stated
from painting_jax.provenance.payload import Origin, model_id

# All frames of a process carry the same mark: more of them make it surer, and take longer.
_MOST_FRAMES = 17
_MOST_SIDE = 2048  # pixels; larger frames are scaled down


def verify(path: epath.PathLike) -> str:
    """Says in one line whether a picture or a video was made by this package, when and with what.

    Raises:
      UserError: If the file is missing, or no picture or video that can be read.
    """
    path = epath.Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name pictures or videos in it")
    frames_THWC = _frames(path)
    return in_words(detect(frames_THWC), metadata.read(path))


def _frames(path: epath.Path) -> np.ndarray:
    if video.is_video(path):
        return video.read(path, max_frames=_MOST_FRAMES, max_side=_MOST_SIDE)[0]
    return video.shrink(pictures.load(path), _MOST_SIDE)[None]


def in_words(origin: Origin | None, stated: Stated | None) -> str:
    """A line on what a mark and metadata say; None for either that was not found."""
    if origin is None:
        line = "no mark found"
    else:
        medium = (origin.medium or "unknown medium") + " and others" * origin.is_mixture
        line = f"made by painting_jax on {origin.day}, model {origin.model}, {medium}"
    if stated is None:
        return f"{line}; no metadata of painting_jax"
    model = f"{stated.model} ({model_id(stated.model)})" if stated.model else "unknown"
    said = [
        "made by painting_jax" + (f" on {stated.day}" if stated.day else ""),
        f"model {model}",
        *filter(None, [stated.medium, "" if stated.is_marked is not False else "without a mark"]),
    ]
    line += f"; metadata: {', '.join(said)}"
    if origin is not None and stated.model and origin.model != model_id(stated.model):
        line += "; mark and metadata name different models"
    return line
