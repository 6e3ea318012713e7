"""Measures two pictures of a folder and is killed by the system as it starts with the third."""

import os
import signal
import sys

from painting_jax.evaluation import folders, measuring
from painting_jax.evaluation.measures import GENERATED
from painting_jax.evaluation.methods import Method
from painting_jax.evaluation.store import Store
from tests.evaluation.recordings import PIXELS


def main() -> None:
    """The folders, recorded and generated, and that of what is kept are the arguments."""
    recorded, generated, partial = sys.argv[1:]
    compare, count = measuring.compare, 0

    def killed_at_third(*given):
        nonlocal count
        count += 1
        if count == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return compare(*given)

    measuring.compare = killed_at_third
    folders.evaluate(
        measuring.Measuring(PIXELS, 9, 64, False, Store(partial, {"yardsticks": False})),
        methods=[Method(GENERATED, generated)],
        recorded=recorded,
        unpaired=False,
        seed=0,
        watch=lambda items, _: items,
    )


if __name__ == "__main__":
    main()
