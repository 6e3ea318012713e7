"""What is measured of one process, and how the numbers of many become a table."""

import dataclasses

import numpy as np

from painting_jax.metrics import bootstrap

RECORDED = "recorded"
GENERATED = "generated"
PAINTED, REVERSED = "painted", "reversed"


@dataclasses.dataclass(frozen=True)
class Measure:
    """A number that a process gets.

    Attributes:
      label: its name in tables; `{distance}`, `{clip}` and `{dino}` stand for what the backbones
        are called.
      short: its name in a sentence.
      explanation: what it says, for a reader who has not met it.
      better: "lower", "higher", or "" where it only describes.
      group: of the table that it stands in, a key of `GROUPS`.
      digits: behind the decimal point.
      needs: the backbone that it needs beside the perceptual distance.
    """

    label: str
    short: str
    explanation: str
    better: str
    group: str
    digits: int = 3
    needs: str = ""


GROUPS = {
    "process": "The way there: is progress paced as the painter paced it?",
    "final": "The finished picture: is it the recorded one?",
}

MEASURES: dict[str, Measure] = {
    "pdp": Measure(
        "PDP score",
        "distance-profile error",
        "Area between the distance profiles of this and the recorded process, both measured to "
        "the recorded finished picture: is progress paced as the painter paced it?",
        "lower",
        "process",
    ),
    "pdp_own": Measure(
        "PDP score, own last frames",
        "distance-profile error to the own last frame",
        "The same with either process measured to its own last frame: the pace alone, whatever it "
        "leads to.",
        "lower",
        "process",
    ),
    "between": Measure(
        "Frames in between",
        "in-between distance",
        "Mean {distance} of the frames between the first and the last to the recorded frames at "
        "the same progress: does it look like the painting did at that moment?",
        "lower",
        "process",
    ),
    "monotonicity": Measure(
        "Monotonicity",
        "monotonicity",
        "The share of all movement that goes towards the process's own last frame; 1 = never away.",
        "higher",
        "process",
    ),
    "to_band": Measure(
        "Distance to the recorded band",
        "distance to the recorded band",
        "Area between the profile to the process's own last frame and the mean of the recorded "
        "set's such profiles.",
        "lower",
        "process",
    ),
    "in_band": Measure(
        "Share within the band",
        "share within the recorded band",
        "The share of the profile to the own last frame that lies between the 10th and the 90th "
        "percentile of the recorded set's.",
        "higher",
        "process",
    ),
    "final_distance": Measure(
        "Final picture, {distance}",
        "final distance",
        "Distance of the last frame to the recorded finished picture.",
        "lower",
        "final",
    ),
    "final_ssim": Measure(
        "Final picture, SSIM",
        "final SSIM",
        "Structural similarity of the last frame, 1 = equal.",
        "higher",
        "final",
    ),
    "final_psnr": Measure(
        "Final picture, PSNR (dB)",
        "final PSNR",
        "Peak signal-to-noise ratio of the last frame; 100 stands for equal.",
        "higher",
        "final",
        1,
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
      order: `PAINTED`, or `REVERSED` where the video ran backwards and was turned round.
      frames: how many were measured.
    """

    name: str
    method: str
    medium: str
    numbers: dict[str, float]
    profile_K: np.ndarray
    own_profile_K: np.ndarray
    order: str = PAINTED
    frames: int = 0


def interval(rows: list[Measured], key: str, *, seed: int) -> bootstrap.Interval:
    """The mean of a measure over the rows, with its bootstrap interval."""
    return bootstrap.interval(np.array([row.numbers[key] for row in rows]), seed=seed)


def difference(
    rows: list[Measured], others: list[Measured], key: str, *, seed: int
) -> bootstrap.Interval:
    """How far rows are ahead of others in a measure: the mean difference over equal names.

    Above 0 the rows are better.
    """
    sign = 1 if MEASURES[key].better == "lower" else -1
    by_name = {row.name: row.numbers[key] for row in rows}
    gaps = [
        sign * (other.numbers[key] - by_name[other.name])
        for other in others
        if other.name in by_name
    ]
    return bootstrap.interval(np.array(gaps), seed=seed)
