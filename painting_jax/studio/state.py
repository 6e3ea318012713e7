"""What is going on, as the page shows it, and the stream in which it learns of changes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from painting_jax import media
from painting_jax.studio import limits, result_files
from painting_jax.studio.gallery import DONE, PAINTING, Gallery, Work
from painting_jax.studio.offers import Offers
from painting_jax.studio.painting import Painting
from painting_jax.studio.painting_queue import PaintingQueue
from painting_jax.studio.time_left import Speeds

_PAUSE = 0.25  # seconds between two looks
_SILENCE = 10.0  # seconds after which something is said, so that a cut is noticed
_WHILE_PAINTING = 0.5


class State:
    """The state of a studio, for the page.

    Args:
      gallery: Its works.
      queue: Its queue.
      offers: Its models.
      painting: What paints.
      speeds: How long paintings take.
    """

    def __init__(
        self,
        gallery: Gallery,
        queue: PaintingQueue,
        offers: Offers,
        painting: Painting,
        speeds: Speeds,
    ):
        self._gallery, self._queue, self._offers = gallery, queue, offers
        self._painting, self._speeds = painting, speeds
        self._streams, self.is_ending = 0, False
        # A version says nothing across two starts.
        self._start = f"{time.time():.0f}"

    @property
    def version(self) -> str:
        """A text that changes with every change."""
        return f"{self._start}-{self._gallery.version}"

    @property
    def now(self) -> dict:
        """The queue, and the version of the gallery."""
        queue, before = [], 0.0
        for work, ticket in self._queue.waiting():
            entry = self.summary(work)
            progress = ticket.progress() if ticket.progress else None
            whole = self._expected(work)
            left = progress["left"] if progress else whole
            entry |= {
                "progress": progress,
                "place": len(queue),
                "expected": whole,
                # Until it is done, with all that is painted before.
                "left": None if left is None or before is None else round(before + left, 1),
            }
            before = entry["left"]
            queue.append(entry)
        return {"version": self.version, "queue": queue}

    def summary(self, work: Work) -> dict:
        """A work in the gallery."""
        settings = work.settings
        said = {
            "id": work.id,
            "name": work.name,
            "medium": settings.medium,
            "in_words": _in_words(settings.medium),
            "state": work.state,
            "said": work.said,
            "asked": work.asked,
            "seconds": work.seconds,
            "shape": list(work.shape),
            "goes_on": settings.corners is not None,
        }
        return said

    def whole(self, work: Work) -> dict:
        """A work with its settings and files."""
        label = "a model that is not on offer any more"
        if work.settings.model in self._offers.models:
            label = self._offers.models[work.settings.model].traits.label
        files = result_files.told(work) if work.state == DONE else None
        return self.summary(work) | {
            "settings": work.settings.said,
            "prompt": work.settings.whole_prompt,
            "model": label,
            "files": files,
        }

    def page(self, first: int) -> dict:
        """Some works of the gallery, the newest first."""
        works = [work for work in reversed(self._gallery.all())]
        shown = works[first : first + limits.WORKS_A_PAGE]
        return {"works": [self.summary(work) for work in shown], "count": len(works)}

    async def stream(self) -> AsyncIterator[str]:
        """The state, whenever it has changed, as server-sent events."""
        said, told_at = "", 0.0
        self._streams += 1
        try:
            while not self.is_ending:
                at = time.monotonic()
                paints = any(work.state == PAINTING for work, _ in self._queue.waiting())
                is_due = paints and at - told_at > _WHILE_PAINTING
                if self.version != said or is_due:
                    now = await asyncio.to_thread(lambda: self.now)
                    said, told_at = now["version"], at
                    yield f"data: {json.dumps(now)}\n\n"
                elif at - told_at > _SILENCE:
                    told_at = at
                    yield ": still here\n\n"
                await asyncio.sleep(_PAUSE)
        finally:
            self._streams -= 1

    @property
    def has_room(self) -> bool:
        """Whether another browser may have a stream."""
        return self._streams < limits.STREAMS

    def _expected(self, work: Work) -> float | None:
        if work.settings.model not in self._offers.models:
            return 0.0
        is_new = self._painting.is_new(work.settings, work.shape)
        size = self._offers.size(work.settings, work.shape, is_new=is_new)
        return self._speeds.whole(work.settings.model, size)


def _in_words(medium: str) -> str:
    mixture = media.mixture(medium)
    if len(mixture) == 1:
        return media.in_words(medium)
    return ", ".join(
        f"{100 * weight:.0f} % {media.in_words(name)}" for name, weight in mixture.items()
    )
