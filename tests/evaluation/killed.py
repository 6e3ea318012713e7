"""Measures two pictures of a folder and is killed by the system as it starts with the third."""

import os
import signal
import sys

from painting_jax.evaluation import measurement
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.folder_source import FolderSource
from painting_jax.evaluation.measures import GENERATED
from painting_jax.evaluation.methods import Method
from tests.evaluation.recordings import PIXELS


def main() -> None:
    """The arguments are the folders: recorded, generated, cache."""
    recorded, generated, partial = sys.argv[1:]
    compare, count = measurement.compare, 0

    def killed_at_third(*arguments):
        nonlocal count
        count += 1
        if count == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return compare(*arguments)

    measurement.compare = killed_at_third
    source = FolderSource([Method(GENERATED, generated)], recorded, frames=9, size=64)
    cache = Cache(partial, source.depends_on)
    measurement.evaluate(source, PIXELS, cache, seed=0, watch=lambda items, _: items)


if __name__ == "__main__":
    main()
