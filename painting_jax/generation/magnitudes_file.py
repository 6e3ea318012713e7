"""The file that keeps what the step cache has measured of a model, for later starts."""

import dataclasses
import functools
import json
import pathlib
import sys
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from painting_jax import json_text
from painting_jax.diffusion.step_cache import Magnitudes, StepCache
from painting_jax.errors import UserError
from painting_jax.files import written_beside

NAME = "step_cache.json"

_Painted = TypeVar("_Painted")


@dataclasses.dataclass(frozen=True)
class MagnitudesFile:
    """A JSON file of the magnitudes of one model.

    Attributes:
      path: The file, which need not exist.
      model: What identifies the weights. Magnitudes of others are measured again.
    """

    path: pathlib.Path
    model: str

    def cache(self, threshold: float) -> StepCache | None:
        """The step cache with what the file holds; None for a threshold of 0.

        A file that is damaged is named on standard error, and counts as none.
        """
        if not threshold:
            return None
        known = self._read()
        if known is None:
            print(f"{self.path} is damaged: it is measured again", file=sys.stderr)
        return StepCache(threshold, known or {})

    def skipped(self, cache: StepCache, paint: Callable[[], _Painted]) -> _Painted:
        """What is painted with steps skipped, even where the model must first be measured.

        Args:
          cache: Step cache with which it is painted.
          paint: Function that paints. Where no step was skipped, in order to measure the model, it
            is called once more.
        """
        known = dict(cache.magnitudes)
        painted = paint()
        if cache.magnitudes == known:
            return painted
        self.keep(cache)
        return paint()

    def keep(self, cache: StepCache) -> None:
        """Writes what the cache has measured, if that is new.

        A file that cannot be written costs the next start time, not this one its result: a warning
        says so.
        """
        if cache.magnitudes == self._read():
            return
        experts = {str(n): dataclasses.asdict(one) for n, one in cache.magnitudes.items()}
        try:
            with written_beside(self.path) as unfinished:
                unfinished.write_text(json.dumps({"model": self.model, "transformers": experts}))
        except (OSError, UserError) as error:
            _warn(f"warning: the step cache is not kept for next time: {error}")

    def _read(self) -> dict[int, Magnitudes] | None:
        """The magnitudes of each transformer of the model; None if the file is damaged."""
        try:
            content = json_text.read(self.path)
            if content["model"] != self.model:
                return {}
            return {int(n): _checked(one) for n, one in content["transformers"].items()}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


@functools.cache
def _warn(line: str) -> None:
    """Says it once, and not after each picture."""
    print(line, file=sys.stderr)


def _checked(read: dict) -> Magnitudes:
    """Magnitudes from their JSON.

    Raises:
      ValueError, TypeError, KeyError: If they are none.
    """
    timesteps = np.array(read["timesteps"], np.float64)
    logs_PN = np.array(read["logs"], np.float64)
    fits = timesteps.ndim == 1 and logs_PN.ndim == 2 and logs_PN.shape[1:] == timesteps.shape
    falls = len(timesteps) and (np.diff(timesteps) < 0).all()
    if not (fits and falls and np.isfinite(logs_PN).all() and np.isfinite(timesteps).all()):
        raise ValueError("no magnitudes over falling timesteps")
    return Magnitudes(tuple(timesteps.tolist()), tuple(map(tuple, logs_PN.tolist())))
