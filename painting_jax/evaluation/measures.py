"""What is measured of one process, and how the numbers of many become a table."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from painting_jax.metrics import bootstrap

RECORDED = "recorded"
GENERATED = "generated"
PAINTED, REVERSED = "painted", "reversed"

# A mean that is smaller is rounding: no share of it is told.
_NOTHING = 1e-6


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
    """

    label: str
    short: str
    explanation: str
    better: str
    group: str
    digits: int = 3


# What the tables say of each; `{distance}` as in a measure's label.
GROUPS = {
    "process": "The way there: is progress paced as the painter paced it? By {distance}, where no "
    "heading names another.",
    "final": "The finished picture: is it the recorded one?",
    "stages": "Stages and regions: when does each begin, by the profile of {distance}, and which "
    "part is painted first, by colour?",
    "time": "From frame to frame: does it move as painting does, and does the paint stay? Textures "
    "are those of {distance}'s network.",
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
    "pdp_clip": Measure(
        "PDP score, {clip}",
        "distance-profile error by {clip}",
        "The PDP score with 1 - cosine of {clip} as the distance.",
        "lower",
        "process",
    ),
    "pdp_dino": Measure(
        "PDP score, {dino}",
        "distance-profile error by {dino}",
        "The PDP score with 1 - cosine of {dino} as the distance.",
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
        "set's such profiles, of its medium where that has a band; of a recorded process, to the "
        "mean of the others'.",
        "lower",
        "process",
    ),
    "in_band": Measure(
        "Share within the band",
        "share within the recorded band",
        "The share of the profile to the own last frame that lies between the 10th and the 90th "
        "percentile of the recorded set's, of its medium where that has a band; of a recorded "
        "process, of the others'.",
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
    "final_clip": Measure(
        "Final picture, {clip}",
        "final similarity by {clip}",
        "Cosine of the features of the last frame and of the recorded finished picture, 1 = alike.",
        "higher",
        "final",
    ),
    "final_dino": Measure(
        "Final picture, {dino}",
        "final similarity by {dino}",
        "Cosine of the features of the last frame and of the recorded finished picture, 1 = alike.",
        "higher",
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
    "blocking_at": Measure(
        "Colour blocking begins",
        "where colour blocking begins",
        "Share of the time at which the distance profile first bends: composition ends. Only of "
        "profiles that bend.",
        "",
        "stages",
        2,
    ),
    "detail_at": Measure(
        "Detail begins",
        "where detail begins",
        "Share of the time at which the profile bends again. Only of profiles that bend.",
        "",
        "stages",
        2,
    ),
    "stages_off": Measure(
        "Stages off by",
        "error of the stages' beginnings",
        "Mean distance in time of these two moments from the recorded process's.",
        "lower",
        "stages",
        2,
    ),
    "region_pdp": Measure(
        "PDP by region",
        "distance-profile error by region",
        "Area between the profiles of each region's colour difference, this and the recorded "
        "process's, mean over the picture.",
        "lower",
        "stages",
    ),
    "region_order": Measure(
        "Order of regions",
        "agreement in the order of regions",
        "Kendall's tau between the orders in which this and the recorded process finish the "
        "regions: 1 = the same, 0 = none of it, -1 = the reverse.",
        "higher",
        "stages",
        2,
    ),
    "work": Measure(
        "Change over time",
        "error of change over time",
        "Area between the shares of all change that are done by each moment, this and the "
        "recorded process's.",
        "lower",
        "time",
    ),
    "worked_on": Measure(
        "Canvas changed per step",
        "share of the canvas that changes per step",
        "Share of the pixels that change in a step in which anything does. A painter works "
        "somewhere, a fade or noise works everywhere; it grows with the time between frames.",
        "",
        "time",
        2,
    ),
    "flicker": Measure(
        "Flicker",
        "flicker",
        "Share of all movement that the next step undoes: 0 = paint stays, about 0.6 = noise.",
        "lower",
        "time",
    ),
    "texture_drift": Measure(
        "Texture drift",
        "drift of the texture",
        "How far the texture (Gram matrices of the activations in {distance}'s network) of "
        "finished areas changes from frame to frame, 0 = it stays.",
        "lower",
        "time",
    ),
    "texture_apart": Measure(
        "Texture, to the recorded",
        "distance of the texture",
        "Distance of the frames' textures to those of the recorded process at the same progress.",
        "lower",
        "time",
    ),
    "texture_to_set": Measure(
        "Texture, to the recorded set",
        "distance of the texture to the recorded set",
        "Distance of the frames' textures to the mean of the recorded set's, over that of its own "
        "members: about 1 = like them. A recorded process is held against the others.",
        "lower",
        "time",
        2,
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
      picture: what identifies its picture; "" = its name does. Intervals are over pictures.
      cut: the share of the picture that was cropped away to compare it.
    """

    name: str
    method: str
    medium: str
    numbers: dict[str, float]
    profile_K: np.ndarray
    own_profile_K: np.ndarray
    order: str = PAINTED
    frames: int = 0
    picture: str = ""
    cut: float = 0.0


def interval(rows: Sequence[Measured], key: str, *, seed: int) -> bootstrap.Interval:
    """The mean of a measure over the rows, with its bootstrap interval over pictures."""
    values_N = np.array([row.numbers[key] for row in rows])
    pictures_N = np.array([row.picture or row.name for row in rows])
    return bootstrap.interval(values_N, pictures_N=pictures_N, seed=seed)


def against(
    rows: Sequence[Measured], others: Sequence[Measured], key: str, *, seed: int
) -> tuple[bootstrap.Paired, float]:
    """Two methods in a measure, over the names that both have.

    Returns:
      The comparison, its difference turned so that above 0 the rows are ahead; and the mean of the
      rows over that of the others, NaN where that is as good as 0.
    """
    by_name = {row.name: row for row in rows}
    pairs = [(by_name[other.name], other) for other in others if other.name in by_name]
    first_N, second_N = (np.array([pair[side].numbers[key] for pair in pairs]) for side in range(2))
    pictures_N = np.array([row.picture or row.name for row, _ in pairs])
    better = MEASURES[key].better
    found = bootstrap.paired(first_N, second_N, better=better, pictures_N=pictures_N, seed=seed)
    if better == "lower":
        mean, low, high, n = found.difference
        found = found._replace(difference=bootstrap.Interval(-mean, -high, -low, n))
    share = found.first.mean / found.second.mean if found.second.mean > _NOTHING else math.nan
    return found, share
