"""The queue: paintings that wait, and the one thread that paints them in turn."""

import threading
import time
import traceback
from collections.abc import Callable

from painting_jax.studio import answers, limits
from painting_jax.studio.answers import Refused
from painting_jax.studio.gallery import (
    CANCELLED,
    DONE,
    FAILED,
    PAINTING,
    QUEUED,
    WAITING,
    Gallery,
    Work,
)


class Cancelled(Exception):
    """Raised in a painting that was cancelled."""


class Ticket:
    """What a painting and those who watch it share.

    Attributes:
      progress: Returns how far it is, for the page; None = it has not begun.
    """

    def __init__(self, on_change: Callable[[], object]):
        self._on_change = on_change
        self._cancelled = threading.Event()
        self.progress: Callable[[], dict] | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Lets the painting end at its next step."""
        self._cancelled.set()
        self._on_change()

    def check(self) -> None:
        """Ends the painting here if it was cancelled.

        Raises:
          Cancelled: If it was.
        """
        if self.is_cancelled:
            raise Cancelled

    def step(self) -> None:
        """As `check`, and says that something has changed."""
        self.check()
        self._on_change()


class PaintingQueue:
    """Paints the waiting works of a gallery in the order in which they were asked for.

    Args:
      gallery: Gallery. Works that wait in it already are painted, too.
      paint: Paints a work and returns what there is to say of it; calls `Ticket.step` meanwhile.
      names: Paths that errors may name, and what to say instead.
    """

    def __init__(
        self, gallery: Gallery, paint: Callable[[Work, Ticket], str], names: dict[str, str]
    ):
        self._gallery, self._paint, self._names = gallery, paint, names
        self._changed = threading.Condition()
        self._tickets: dict[str, Ticket] = {
            work.id: self._ticket() for work in gallery.all() if work.state == QUEUED
        }
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)

    def start(self) -> None:
        """Begins to paint."""
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Ends after the present step; what was being painted is interrupted, not cancelled."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets.values():
                ticket.cancel()
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def check_room(self) -> None:
        """Checks that another painting may wait.

        Raises:
          Refused: If too many do.
        """
        with self._changed:
            if len(self._tickets) >= limits.QUEUE:
                raise Refused(429, f"{limits.QUEUE} paintings wait already: come back later")

    def add(self, work: Work) -> None:
        """Lets a work of the gallery, which is queued, be painted after the others."""
        with self._changed:
            self._tickets[work.id] = self._ticket()
            self._changed.notify_all()

    def again(self, key: str) -> None:
        """Lets a work that was not finished be painted after all.

        Raises:
          Refused: If it waits or is done, or too many wait.
        """
        with self._changed:
            self.check_room()
            if self._gallery.find(key).state in (*WAITING, DONE):
                raise Refused(409, "this painting waits already, or is done")
            work = self._gallery.change(key, state=QUEUED, said="", asked=time.time())
            self.add(work)

    def cancel(self, key: str) -> None:
        """Cancels a work that waits or is being painted.

        It is cancelled at once. What paints it goes on up to its next step, and leaves nothing; the
        next painting begins then.

        Raises:
          Refused: If it does neither.
        """
        with self._changed:
            self._gallery.find(key)
            ticket = self._tickets.pop(key, None)
            if ticket is None:
                raise Refused(409, "this painting is not in the queue any more")
            ticket.cancel()
            self._gallery.change(key, state=CANCELLED, said="")

    def waiting(self) -> list[tuple[Work, Ticket]]:
        """The works in the queue with their tickets, the next one first."""
        with self._changed:
            found = [(self._gallery.find(key), ticket) for key, ticket in self._tickets.items()]
        return sorted(found, key=lambda one: (one[0].asked, one[0].id))

    def _ticket(self) -> Ticket:
        return Ticket(self._gallery.touch)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not self.waiting():
                    self._changed.wait()
                if self._closed:
                    return
                work, ticket = self.waiting()[0]
                work = self._gallery.change(work.id, state=PAINTING)
            began = time.monotonic()
            state, said = self._painted(work, ticket)
            if self._closed and state == CANCELLED:
                return  # The gallery finds it interrupted at the next start.
            with self._changed:
                if self._tickets.get(work.id) is not ticket:
                    # It was cancelled, and may wait again, or be removed.
                    self._gallery.clear(work)
                    continue
                del self._tickets[work.id]
                self._gallery.change(
                    work.id, state=state, said=said, seconds=time.monotonic() - began
                )

    def _painted(self, work: Work, ticket: Ticket) -> tuple[str, str]:
        """The state that a work is in after it was painted, and what there is to say."""
        try:
            return DONE, self._paint(work, ticket)
        except Cancelled:
            return CANCELLED, ""
        # Whatever goes wrong with one painting, the others are painted.
        except Exception as error:
            if ticket.is_cancelled:
                return CANCELLED, ""
            try:
                line = answers.in_a_line(error, {str(work.folder): work.name} | self._names)
            except Exception:
                traceback.print_exc()
                line = "the studio failed: its console says why"
            return FAILED, line
