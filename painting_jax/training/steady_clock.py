"""A clock for libraries that measure how long they wait by the time of day.

Orbax does. When the time of day is set forward during a save, as machines do when they first reach
a time server, it gives up at once.
"""

import sys
import time
import types


class SteadyTime(types.ModuleType):
    """The module `time`, but its `time()` starts at the time of day and never jumps."""

    def __init__(self):
        super().__init__(time.__name__)
        self._offset = time.time() - time.monotonic()

    def __getattr__(self, name: str):
        return getattr(time, name)

    def time(self) -> float:
        return self._offset + time.monotonic()


def give_to(package: str) -> None:
    """Gives the modules of a package that are imported so far a `time` that never jumps."""
    steady = SteadyTime()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == package and getattr(module, "time", None) is time:
            module.time = steady  # type: ignore[attr-defined]
