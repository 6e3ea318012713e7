"""A picture to be painted, wherever it lies, and what a photo of its canvas tells the page."""

import base64
import dataclasses
import pathlib

import numpy as np

from painting_jax.data import pictures
from painting_jax.data.rehearsal import Rehearsal
from painting_jax.generation import going_on
from painting_jax.studio import canvas, gallery, limits, result_files, uploads
from painting_jax.studio.gallery import Work
from painting_jax.studio.settings import Settings
from painting_jax.studio.uploads import Upload

_SHOWN_CANVAS = 720  # pixels
_KEPT = 4  # rehearsals
_rehearsed: dict[tuple[str, str], Rehearsal] = {}


@dataclasses.dataclass(frozen=True)
class Source:
    """A picture to be painted, wherever it lies."""

    key: str
    name: str
    shape: tuple[int, int]
    picture: pathlib.Path
    shown: pathlib.Path
    work: Work | None = None

    @classmethod
    def of_upload(cls, upload: Upload) -> "Source":
        shape = upload.height, upload.width
        return cls(upload.id, upload.name, shape, upload.path, upload.folder / uploads.SHOWN)

    @classmethod
    def of_work(cls, work: Work) -> "Source":
        picture, shown = work.folder / gallery.PICTURE, work.folder / gallery.SHOWN
        return cls(work.id, work.name, work.shape, picture, shown, work)

    def load(self) -> np.ndarray:
        """The picture."""
        return uploads.loaded(self.picture, self.name)

    def process(self) -> canvas.Process | None:
        """The process that a person follows, if there is one."""
        if self.work is None or self.work.state != gallery.DONE:
            return None
        told = result_files.told(self.work)
        frames_THWC = [pictures.load(self.work.result / name) for name in told["steps"]]
        return canvas.Process(frames_THWC, told["progress"]) if len(frames_THWC) > 1 else None


def canvas_told(source: Source, photo: Upload, settings: Settings) -> dict:
    """What a photo of a canvas tells, for the page, with the canvas and the step as pictures.

    Args:
      source: Picture that is painted on it.
      photo: Photo.
      settings: See `canvas.read`.
    """
    photo_HWC, picture_HWC = photo.load(), source.load()
    rehearsal = _rehearsal(source.key, settings.medium, picture_HWC)
    reading = canvas.read(photo_HWC, picture_HWC, settings, rehearsal, source.process())
    jpegs = [
        base64.b64encode(pictures.encode(pictures.shrunk(x_HWC, _SHOWN_CANVAS), "jpeg")).decode()
        for x_HWC in (reading.canvas_HWC, reading.step.frame_HWC)
    ]
    return {
        "corners": reading.corners,
        "progress": reading.progress,
        "step": reading.step.number,
        "of": reading.step.of,
        "rest": max(limits.FRAMES[0], reading.step.of - reading.step.number + 1),
        "differs": reading.differs.said,
        "region": reading.differs.region,
        "outline": reading.differs.path,
        "shape": reading.differs.shape,
        "warning": reading.warning,
        "seen": f"data:image/jpeg;base64,{jpegs[0]}",
        "like": f"data:image/jpeg;base64,{jpegs[1]}",
    }


def _rehearsal(key: str, medium: str, picture_HWC: np.ndarray) -> Rehearsal:
    """The rehearsal of a picture, kept for the corners that are moved next."""
    found = _rehearsed.pop((key, medium), None) or going_on.rehearsed(picture_HWC, medium)
    _rehearsed[key, medium] = found
    while len(_rehearsed) > _KEPT:
        _rehearsed.pop(next(iter(_rehearsed)), None)
    return found
