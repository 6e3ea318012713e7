"""What is measured of one process, and how the numbers of many become a table."""

import dataclasses

import numpy as np

from painting_jax.metrics import bootstrap

RECORDED = "recorded"
GENERATED = "generated"


@dataclasses.dataclass(frozen=True)
class Measure:
    """A number that a process gets.

    Attributes:
      label: its name in tables; `{distance}` stands for the label of the perceptual distance.
      explanation: what it says, for a reader who has not met it.
      better: "lower" or "higher".
      digits: behind the decimal point.
    """

    label: str
    explanation: str
    better: str
    digits: int = 3


MEASURES: dict[str, Measure] = {
    "pdp": Measure(
        "PDP score",
        "Area between the distance profiles of this and the recorded process, both measured to "
        "the recorded finished picture: is progress paced as the painter paced it?",
        "lower",
    ),
    "between": Measure(
        "Frames in between",
        "Mean {distance} of the frames between the first and the last to the recorded frames at "
        "the same progress: does it look like the painting did at that moment?",
        "lower",
    ),
    "final_distance": Measure(
        "Final picture, {distance}",
        "Distance of the last frame to the recorded finished picture.",
        "lower",
    ),
    "final_ssim": Measure(
        "Final picture, SSIM", "Structural similarity of the last frame, 1 = equal.", "higher"
    ),
    "final_psnr": Measure(
        "Final picture, PSNR (dB)",
        "Peak signal-to-noise ratio of the last frame; 100 stands for equal.",
        "higher",
        1,
    ),
    "monotonicity": Measure(
        "Monotonicity",
        "The share of all movement that goes towards the process's own last frame; 1 = never away.",
        "higher",
    ),
    "to_band": Measure(
        "Distance to the recorded band",
        "Area between the profile to the process's own last frame and the mean of the recorded "
        "set's such profiles.",
        "lower",
    ),
    "in_band": Measure(
        "Share within the band",
        "The share of the profile to the own last frame that lies between the 10th and the 90th "
        "percentile of the recorded set's.",
        "higher",
    ),
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """One measured process.

    Attributes:
      name: of the process.
      method: what made it: `RECORDED`, `GENERATED`, or a yardstick's name.
      medium: a name from the registry, or "".
      numbers: by the keys of `MEASURES`; NaN where there is nothing to compare with.
      profile_K: distance to the recorded finished picture over even progress; NaN without one.
      own_profile_K: distance to its own last frame over even progress.
    """

    name: str
    method: str
    medium: str
    numbers: dict[str, float]
    profile_K: np.ndarray
    own_profile_K: np.ndarray


def summary(rows: list[Measured], *, seed: int) -> dict[str, bootstrap.Interval]:
    """The mean of every measure over the rows, with its bootstrap interval."""
    return {
        key: bootstrap.interval(np.array([row.numbers[key] for row in rows]), seed=seed)
        for key in MEASURES
    }


def difference(
    rows: list[Measured], others: list[Measured], key: str, *, seed: int
) -> bootstrap.Interval:
    """The paired mean difference of a measure, others less rows, over processes of one name."""
    by_name = {row.name: row.numbers[key] for row in rows}
    pairs = [other.numbers[key] - by_name[other.name] for other in others if other.name in by_name]
    return bootstrap.interval(np.array(pairs), seed=seed)
