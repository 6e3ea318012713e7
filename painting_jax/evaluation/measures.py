"""The measures of a process, and how the numbers of many processes become a table."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np

from painting_jax.metrics import bootstrap, fidelity

# Methods that are not a user's: recorded processes, the one that is evaluated unless it has a name,
# and the baselines.
RECORDED = "recorded"
GENERATED = "generated"
CROSS_FADE = "cross-fade"
BLUR_TO_SHARP = "blur-to-sharp"
OTHER_PICTURE = "process of another picture"
BASELINES = (CROSS_FADE, BLUR_TO_SHARP, OTHER_PICTURE)

PAINTED, REVERSED = "painted", "reversed"

# Smaller means are rounding: ratios to them are not reported.
_NEGLIGIBLE = 1e-6


@dataclasses.dataclass(frozen=True)
class Measure:
    """The description of a number that is computed for a process.

    Attributes:
      label: Name in tables; `{distance}`, `{clip}` and `{dino}` stand for the networks' labels.
      short: Name in a sentence.
      explanation: Meaning, for a reader who does not know it.
      better: "lower", "higher", or "" for a number that only describes.
      group: Key in `GROUPS` of the table that lists it.
      digits: Number of decimals.
      least: Smallest value that it can have.
      most: Largest value that it can have.
      of_pictures: Jitted function that computes it from the last frame and the recorded finished
        picture, both uint8[1, H, W, 3]: float32[1]; None if it is computed in `comparison`.
    """

    label: str
    short: str
    explanation: str
    better: str
    group: str
    digits: int = 3
    least: float = 0.0
    most: float = math.inf
    of_pictures: Callable[..., jax.Array] | None = None


# Captions of the tables; `{distance}` as in a measure's label.
GROUPS = {
    "process": "The process: is it paced as the painter paced it? By {distance}, unless a heading "
    "names another distance.",
    "final": "The finished picture: does it equal the recorded one?",
    "bends": "Bends and regions: where does the profile of {distance} change its pace, and which "
    "region is painted first, by colour?",
    "time": "From frame to frame: does it move as painting does, and does the paint stay? Textures "
    "are features of {distance}'s network.",
}

MEASURES: dict[str, Measure] = {
    "pdp": Measure(
        "PDP score",
        "error of the pace",
        "Area between the distance profiles of this and the recorded process, both measured to "
        "the recorded finished picture: is it paced as the painter paced it?",
        "lower",
        "process",
    ),
    "pdp_own": Measure(
        "PDP score, own last frames",
        "error of the pace to the own last frame",
        "The same with each process measured to its own last frame: the pace alone, whatever the "
        "finished picture.",
        "lower",
        "process",
    ),
    "between": Measure(
        "Frames in between",
        "distance of the frames in between",
        "Mean {distance} of the frames between the first and the last to the recorded frames at "
        "the same progress: does it look like the painting at that time?",
        "lower",
        "process",
    ),
    "pdp_clip": Measure(
        "PDP score, {clip}",
        "error of the pace by {clip}",
        "The PDP score with 1 - cosine of {clip} as the distance.",
        "lower",
        "process",
    ),
    "pdp_dino": Measure(
        "PDP score, {dino}",
        "error of the pace by {dino}",
        "The PDP score with 1 - cosine of {dino} as the distance.",
        "lower",
        "process",
    ),
    "monotonicity": Measure(
        "Monotonicity",
        "monotonicity",
        "Share of all movement that goes towards the process's own last frame; 1 = never away.",
        "higher",
        "process",
        most=1.0,
    ),
    "to_band": Measure(
        "Distance to the recorded band",
        "distance to the recorded band",
        "Area between the profile to the process's own last frame and the mean profile of the "
        "recorded set: of its medium if that has a band, else of the whole set. A recorded process "
        "is compared with the mean of the others.",
        "lower",
        "process",
    ),
    "in_band": Measure(
        "Share within the band",
        "share within the recorded band",
        "Share of the profile to the own last frame that lies between the 10th and the 90th "
        "percentile of the recorded set: of its medium if that has a band, else of the whole set. "
        "A recorded process is compared with the others.",
        "higher",
        "process",
        most=1.0,
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
        "Cosine similarity of the last frame and the recorded finished picture, 1 = alike.",
        "higher",
        "final",
        least=-1.0,
        most=1.0,
    ),
    "final_dino": Measure(
        "Final picture, {dino}",
        "final similarity by {dino}",
        "Cosine similarity of the last frame and the recorded finished picture, 1 = alike.",
        "higher",
        "final",
        least=-1.0,
        most=1.0,
    ),
    "final_error": Measure(
        "Final picture, mean error (of 255)",
        "mean error of the final picture",
        "Mean absolute difference of the last frame to the recorded finished picture, of 255.",
        "lower",
        "final",
        1,
        most=255.0,
        of_pictures=fidelity.mean_error,
    ),
    "final_ssim": Measure(
        "Final picture, SSIM",
        "final SSIM",
        "Structural similarity of the last frame, 1 = equal.",
        "higher",
        "final",
        least=-1.0,
        most=1.0,
        of_pictures=fidelity.ssim,
    ),
    "final_psnr": Measure(
        "Final picture, PSNR (dB)",
        "final PSNR",
        "Peak signal-to-noise ratio of the last frame; 100 = equal.",
        "higher",
        "final",
        1,
        most=100.0,
        of_pictures=fidelity.psnr,
    ),
    "first_bend": Measure(
        "First bend of the profile",
        "first bend of the profile",
        "Progress at which the distance profile first changes its pace. It describes the curve: "
        "it is not where a painter begins to lay in colours. Only for profiles that bend.",
        "",
        "bends",
        2,
        most=1.0,
    ),
    "second_bend": Measure(
        "Second bend of the profile",
        "second bend of the profile",
        "Progress at which the profile changes its pace again. It is not where a painter begins "
        "with details. Only for profiles that bend.",
        "",
        "bends",
        2,
        most=1.0,
    ),
    "bends_off": Measure(
        "Error of the bends",
        "error of the profile's bends",
        "Mean difference in progress of the two bends to those of the recorded process.",
        "lower",
        "bends",
        2,
        most=1.0,
    ),
    "region_pdp": Measure(
        "PDP by region",
        "error of the pace by region",
        "Area between the profiles of each region's colour difference in this and the recorded "
        "process, averaged over the picture.",
        "lower",
        "bends",
    ),
    "region_order": Measure(
        "Order of regions",
        "agreement in the order of regions",
        "Kendall's tau between the orders in which this and the recorded process finish the "
        "regions: 1 = the same, 0 = unrelated, -1 = the reverse.",
        "higher",
        "bends",
        2,
        least=-1.0,
        most=1.0,
    ),
    "work": Measure(
        "Change over time",
        "error of change over time",
        "Area between the cumulative shares of all change over progress in this and the "
        "recorded process.",
        "lower",
        "time",
        most=1.0,
    ),
    "worked_on": Measure(
        "Canvas changed per step",
        "share of the canvas that changes per step",
        "Mean share of the pixels that change in a step with any change. A painter works in one "
        "place, a fade or noise works everywhere. It grows with the time between frames.",
        "",
        "time",
        2,
        most=1.0,
    ),
    "flicker": Measure(
        "Flicker",
        "flicker",
        "Share of all movement that the next step undoes: 0 = paint stays, about 0.5 = noise "
        "(0.5 (T - 2) / (T - 1) in T frames).",
        "lower",
        "time",
        most=1.0,
    ),
    "texture_drift": Measure(
        "Texture drift",
        "drift of the texture",
        "Change of the texture (Gram matrices of the activations of {distance}'s network) of "
        "finished areas from frame to frame; 0 = none.",
        "lower",
        "time",
        most=2.0,
    ),
    "texture_apart": Measure(
        "Texture, to the recorded",
        "distance of the texture",
        "Distance of the frames' textures to the recorded process's at the same progress.",
        "lower",
        "time",
    ),
    "texture_to_set": Measure(
        "Texture, to the recorded set",
        "distance of the texture to the recorded set",
        "Distance of the frames' textures to the mean texture of the recorded set, relative to "
        "that of its own members: about 1 = similar. A recorded process is compared with the "
        "others.",
        "lower",
        "time",
        2,
    ),
}


@dataclasses.dataclass(frozen=True)
class MeasuredProcess:
    """The numbers of one process.

    Attributes:
      name: Name of the process.
      method: What made it: `RECORDED`, `GENERATED`, a baseline or a user's method.
      medium: Name of the medium, or "".
      numbers: Values by the keys of `MEASURES`; NaN where a measure does not apply.
      profile_K: Distance to the recorded finished picture over even progress; NaN without one.
      own_profile_K: Distance to its own last frame over even progress.
      order: `PAINTED`, or `REVERSED` if the video ran backwards and was reversed.
      frames: Number of measured frames.
      picture: Identifier of its picture, over which intervals are taken; "" = the name is used.
      cut: Share of the picture that was cropped away to compare it.
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


def interval(rows: Sequence[MeasuredProcess], key: str, *, seed: int) -> bootstrap.Interval:
    """Mean of a measure over processes, with its interval over pictures."""
    values_N = np.array([row.numbers[key] for row in rows])
    pictures_N = np.array([row.picture or row.name for row in rows])
    interval = bootstrap.interval(values_N, pictures_N=pictures_N, seed=seed)
    return interval.within(MEASURES[key].least, MEASURES[key].most)


def against(
    rows: Sequence[MeasuredProcess], others: Sequence[MeasuredProcess], key: str, *, seed: int
) -> tuple[bootstrap.Paired, float]:
    """Compares two methods in a measure, over the names that both have.

    Returns:
      The comparison, with the sign of its difference chosen so that above 0 the rows are better;
      and the ratio of the rows' mean to that of the others, NaN if the latter is negligible.
    """
    by_name = {row.name: row for row in rows}
    pairs = [(by_name[other.name], other) for other in others if other.name in by_name]
    first_N, second_N = (np.array([pair[side].numbers[key] for pair in pairs]) for side in range(2))
    pictures_N = np.array([row.picture or row.name for row, _ in pairs])
    better = MEASURES[key].better
    paired = bootstrap.paired(
        first_N,
        second_N,
        better="higher" if better == "higher" else "lower",
        pictures_N=pictures_N,
        seed=seed,
    )
    if better == "lower":
        mean, low, high, *counts = paired.difference
        paired = paired._replace(difference=bootstrap.Interval(-mean, -high, -low, *counts))
    second = paired.second.mean
    return paired, paired.first.mean / second if second > _NEGLIGIBLE else math.nan
