"""One work of the gallery, painted: the same path as that of `generate`."""

import numpy as np

from painting_jax.data import pictures
from painting_jax.data.quadrilateral import whole
from painting_jax.data.rehearsal import Rehearsal
from painting_jax.data.subjects import Subject
from painting_jax.errors import readable
from painting_jax.generation import final_frame, going_on, results
from painting_jax.generation.going_on import Canvas
from painting_jax.generation.job import Job
from painting_jax.studio import gallery
from painting_jax.studio.gallery import Work
from painting_jax.studio.offer import Offer
from painting_jax.studio.offers import Offers
from painting_jax.studio.painting_queue import Ticket
from painting_jax.studio.regions import Regions
from painting_jax.studio.settings import Settings
from painting_jax.studio.time_left import Progress, Speeds


class Painting:
    """Paints works with the models on offer. It belongs to one thread.

    Only the model that painted last is held.

    Args:
      offers: Models.
      speeds: How long paintings take, which it learns.
    """

    def __init__(self, offers: Offers, speeds: Speeds):
        self._offers, self._speeds = offers, speeds
        self._compiled: set[tuple] = set()
        self._last: Offer | None = None

    def is_new(self, settings: Settings, shape_HW: tuple[int, int]) -> bool:
        """Whether programs have to be compiled for such a painting."""
        return self._programs(settings, shape_HW) not in self._compiled

    def paint(self, work: Work, ticket: Ticket) -> str:
        """Paints a work into its folder.

        Args:
          work: Work.
          ticket: Is told of each step, and ends the painting by raising.

        Returns:
          What there is to say of it: a warning, or nothing.

        Raises:
          UserError: If it cannot be painted.
          OSError: If it cannot be written.
        """
        settings = work.settings
        offer = self._offers.find(settings.model)
        is_new = self.is_new(settings, work.shape)
        size = self._offers.size(settings, work.shape, is_new=is_new)
        progress = Progress(self._speeds, settings.model, size)
        ticket.progress = lambda: progress.told

        def on_step() -> None:
            progress.advance()
            ticket.step()

        if self._last is not offer:
            if self._last is not None:
                self._last.release()
            self._last = offer
        offer.load()
        on_step()
        subject = _subject(work)
        canvas_HWC = self._canvas(work) if settings.corners else None
        job = Job(subject, settings.medium, work.result)
        painter = offer.painter(settings, canvas_HWC, on_step)
        on_step()
        [painted] = painter.generate([job])
        ticket.step()
        differs = results.write(
            painted, painter.label, tutorial=settings.choices, on_file=ticket.check
        )
        progress.advance()
        self._compiled.add(self._programs(settings, work.shape))
        self._speeds.keep()
        said = []
        if unknown := painted.parameters.get("unknown_words"):
            said.append(f"the model does not know these words: {', '.join(unknown)}")
        if not settings.other_look and final_frame.warning(painted, differs):
            said.append(
                f"the last frame differs from the picture by {differs:.0f} of 255 on average: the "
                "model may not know pictures like this one"
            )
        return "; ".join(said)

    def _programs(self, settings: Settings, shape_HW: tuple[int, int]) -> tuple:
        """What a compiled program depends on, about."""
        size = self._offers.size(settings, shape_HW, is_new=False)
        return settings.model, size.frames, size.pixels, bool(settings.corners)

    def _canvas(self, work: Work) -> np.ndarray:
        photo_HWC = pictures.load(work.folder / gallery.CANVAS)
        picture_HWC = pictures.load(work.folder / gallery.PICTURE)
        return found(photo_HWC, picture_HWC, work.settings).canvas_HWC


def found(
    photo_HWC: np.ndarray,
    picture_HWC: np.ndarray,
    settings: Settings,
    rehearsal: Rehearsal | None = None,
) -> Canvas:
    """The canvas between the corners that a person has seen, and may have moved."""
    rehearsal = rehearsal or going_on.rehearsed(picture_HWC, settings.medium)
    return Canvas.of(
        photo_HWC,
        picture_HWC,
        rehearsal,
        corners_42=np.array(settings.corners) * whole(photo_HWC.shape[:2])[2],
        other_look=settings.other_look,
    )


def _subject(work: Work) -> Subject:
    """The picture of a work with its map of regions, if a person has changed them."""
    settings, picture = work.settings, work.folder / gallery.PICTURE
    labels_HW = None
    if settings.edits or settings.order:
        regions = Regions.of(pictures.load(picture), settings.edits)
        labels_HW = regions.ordered(settings.order)
    short, _, suffix = work.name.rpartition(".")
    name = short if short and len(suffix) <= 5 else work.name
    return Subject(readable(name), work.name, lambda: (pictures.load(picture), labels_HW))
