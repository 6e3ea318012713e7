"""Prefetching of one item: disks and decoders work while the accelerator does."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def prefetch(
    load: Callable[[Item], Loaded], items: Iterable[Item]
) -> Iterator[tuple[Item, Loaded]]:
    """Yields each item with what `load` returns for it; a thread loads the next item meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        waiting = collections.deque()
        for item in items:
            waiting.append((item, pool.submit(load, item)))
            if len(waiting) > 1:
                earlier, loaded = waiting.popleft()
                yield earlier, loaded.result()
        for earlier, loaded in waiting:
            yield earlier, loaded.result()
