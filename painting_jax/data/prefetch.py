"""Reading one item ahead: disks and decoders work while the accelerator does."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item, Made = TypeVar("Item"), TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[tuple[Item, Made]]:
    """Each item with what `make` makes of it, in a thread that is one item ahead of the reader."""
    with ThreadPoolExecutor(1) as pool:
        waiting = collections.deque()
        for item in items:
            waiting.append((item, pool.submit(make, item)))
            if len(waiting) > 1:
                earlier, made = waiting.popleft()
                yield earlier, made.result()
        for earlier, made in waiting:
            yield earlier, made.result()
