"""Locks in buckets: an object that its holder writes anew every few seconds.

Nothing removes it when its holder is killed, or its machine taken away. Whoever wants the lock
therefore watches the object: if it is written anew, its holder lives; if it stays as it is for long
enough, it is taken over. No clocks are compared.
"""

import contextlib
import datetime
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator

from painting_jax import buckets
from painting_jax.errors import UserError

# Seconds between two writes of a holder, between two looks of who wants the lock, and without a
# write after which a lock is taken over.
_WRITTEN_EVERY, _LOOKED_EVERY, _LEFT_AFTER = 15.0, 1.0, 90.0


@contextlib.contextmanager
def held(path: str | os.PathLike, refusal: str) -> Iterator[Callable[[], None]]:
    """Holds a lock while the block runs.

    Args:
      path: Address of its object.
      refusal: Message of the error if somebody else holds it.

    Yields:
      A function that raises UserError if somebody else has taken the lock over meanwhile, as after
      a long break of the connection.

    Raises:
      UserError: If somebody else holds it, or the storage refuses to write it.
    """
    own = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "token": uuid.uuid4().hex,
    }
    holder = _Holder(path, json.dumps(own).encode(), refusal)
    thread = threading.Thread(target=holder.go_on, daemon=True)
    thread.start()
    try:
        yield holder.check
    finally:
        holder.ended.set()
        thread.join()
        # Another training may hold it by now; a storage that is out of reach keeps it.
        with contextlib.suppress(UserError):
            buckets.remove(path, holder.generation)


class _Holder:
    """Takes a lock, and writes its object anew until it has ended."""

    def __init__(self, path: str | os.PathLike, content: bytes, refusal: str):
        self._path, self._content, self._refusal = path, content, refusal
        self._taken_by = ""
        self.ended = threading.Event()
        self.generation = _taken(path, content, refusal)

    def go_on(self) -> None:
        while not self._taken_by and not self.ended.wait(_WRITTEN_EVERY):
            # What cannot be written now may be the next time.
            with contextlib.suppress(UserError):
                try:
                    self.generation = buckets.write(self._path, self._content, self.generation)
                except buckets.Taken:
                    self._look()

    def check(self) -> None:
        if self._taken_by:
            raise UserError(f"{self._refusal} (it was taken over, {self._taken_by})")

    def _look(self) -> None:
        there = buckets.read(self._path)
        if there is not None and there[0] == self._content:
            # It was written, but the answer was lost.
            self.generation = there[1]
        else:
            self._taken_by = "its lock is gone" if there is None else _described(there[0])


def _taken(path: str | os.PathLike, content: bytes, refusal: str) -> int:
    """Takes a lock, and returns the generation of its object."""
    seen, since = None, 0.0
    while True:
        with contextlib.suppress(buckets.Taken):
            return buckets.write(path, content, generation=0)
        there = buckets.read(path)
        if there is None:
            continue
        if there[0] == content:
            return there[1]  # It was written, but the answer was lost.
        if seen is None:
            seen, since = there[1], time.monotonic()
            print(
                f"{path} is there, {_described(there[0])}: waiting up to {_LEFT_AFTER:.0f} seconds "
                "to see whether that one still runs",
                file=sys.stderr,
            )
        elif there[1] != seen:
            raise UserError(f"{refusal} ({_described(there[0])})")
        elif time.monotonic() - since > _LEFT_AFTER:
            with contextlib.suppress(buckets.Taken):
                buckets.remove(path, seen)
            seen = None
            continue
        time.sleep(_LOOKED_EVERY)


def _described(content: bytes) -> str:
    """Who wrote a lock."""
    try:
        lock = json.loads(content)
        return f"by process {lock['process']} on {lock['host']} since {lock['since']}"
    except (ValueError, TypeError, KeyError):
        return f"with {len(content)} bytes that are not of this program"
