"""Whether the look of a painting comes from the medium: grey and line versions as inputs."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import numpy as np

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.data.painter import line_art
from painting_jax.data.pipeline import Batch, DataSource, Examples, stack
from painting_jax.diffusion import cross_media
from painting_jax.evaluation.backbones import Backbone
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.measures import GENERATED, RECORDED
from painting_jax.evaluation.media_comparison import PHOTO, zero_shot_classifier
from painting_jax.evaluation.result import Transfer
from painting_jax.metrics import bootstrap, fidelity, media_similarity, perceptual
from painting_jax.metrics.bootstrap import Interval
from painting_jax.metrics.perceptual import PerceptualDistance
from painting_jax.models.codec import to_float, to_uint8

# Media with colours, which a model has to add to a grey input.
COLOURED = tuple(name for name, medium in media.MEDIA.items() if not medium.mono)

# Photos and paintings of them that are held in memory, at most.
_MAX_PHOTOS = 64

COLOUR = "colours, Delta E / 100"


def grey(photo_HWC: np.ndarray) -> np.ndarray:
    """Removes the colours of a picture: uint8[H, W, 3]."""
    luma = cross_media.luminance(to_float(jax.numpy.asarray(photo_HWC)))
    return np.asarray(to_uint8(luma)).repeat(3, -1)


INPUTS = {PHOTO: lambda photo_HWC: photo_HWC, "grey photo": grey, "line drawing": line_art}


def look_transfers(
    distance: PerceptualDistance,
    source: DataSource,
    examples: Examples,
    *,
    clip: Backbone | None,
    generate: Callable[[Batch], np.ndarray],
    batch_size: int,
    at_most: int,
    seed: int,
    cache: Cache,
    watch: Callable[[Iterable, str], Iterable],
) -> tuple[list[Transfer], dict[str, Interval]]:
    """Paints held-out photos, and their grey and line versions, in every coloured medium.

    Args:
      distance: The perceptual distance.
      source: The held-out split, whose processes have the photo they were painted from.
      examples: Makes rows of its processes.
      clip: Measures the medium gained; None omits it.
      generate: Function batch -> frames_BTHWC uint8 in painted order.
      batch_size: Size of the batches for `generate`.
      at_most: Number of processes to use; never more than 64.
      seed: Seed of the bootstrap.
      cache: Cache of the outcome.
      watch: Wraps an iterable and a description of the work to show progress.

    Returns:
      One entry per input and distance for all coloured media, and one for oil alone; none without
      photos. The distances are the perceptual one, which is sensitive to structure, and that of
      the colours. And `media_similarity.medium_gained` of the paintings of photos by method;
      empty without CLIP.
    """
    kept = cache.get("look transfers")
    if kept:
        return [
            Transfer(look, media, measure, *(Interval(*numbers) for numbers in intervals))
            for look, media, measure, *intervals in kept[0]["transfers"]
        ], {method: Interval(*numbers) for method, numbers in kept[0]["gained"].items()}
    photos, rows, names, picture_N = _photos(source, examples, min(at_most, _MAX_PHOTOS))
    if not rows:
        return [], {}
    finished_NHWC = np.stack([row["frames_BTHWC"][-1] for row in rows])
    transfers, gained = [], {}
    for look, change in watch(INPUTS.items(), "painting other looks"):
        given_NHWC = np.stack([change(photo_HWC) for photo_HWC in photos])
        painted_NHWC = _painted(rows, given_NHWC, look != PHOTO, generate, batch_size)
        if clip is not None and look == PHOTO:
            painted = {GENERATED: painted_NHWC, RECORDED: finished_NHWC}
            gained = {
                method: bootstrap.interval(gained_N, pictures_N=picture_N, seed=seed)
                for method, gained_N in _gained(clip, given_NHWC, painted, names).items()
            }
        before = _distances(distance, given_NHWC, finished_NHWC)
        after = _distances(distance, painted_NHWC, finished_NHWC)
        for label, chosen in (("all with colour", COLOURED), ("oil", ("oil",))):
            chosen_N = np.isin(names, chosen)
            for measure, before_N in before.items():
                values = (before_N, after[measure], before_N - after[measure])
                intervals = (
                    bootstrap.interval(x_N[chosen_N], pictures_N=picture_N[chosen_N], seed=seed)
                    for x_N in values
                )
                transfers.append(Transfer(look, label, measure, *intervals))
    entry = {"transfers": [list(dataclasses.astuple(each)) for each in transfers], "gained": gained}
    cache.put("look transfers", entry, {})
    return transfers, gained


def _photos(
    source: DataSource, examples: Examples, at_most: int
) -> tuple[list[np.ndarray], list[dict[str, np.ndarray]], list[str], np.ndarray]:
    """Photos, the rows painted from them, their media, and the identifiers of their pictures."""
    photos, rows, names, identifiers = [], [], [], []
    for index in range(min(at_most, len(source))):
        record = source.record(index)
        stored = [variant.image for variant in record.variants if variant.kind == "photo"]
        if stored and record.medium in COLOURED:
            photo_HWC = pictures.decode(stored[0])
            photos.append(pictures.fit(photo_HWC, examples.height, examples.width))
            rows.append(examples.of(record, index, None))
            names.append(record.medium)
            identifiers.append(record.source or record.id)
    return photos, rows, names, np.array(identifiers)


def _painted(
    rows: Sequence[Batch], given_NHWC, other_look: bool, generate, batch_size: int
) -> np.ndarray:
    """Last frames painted from inputs, uint8."""
    last = []
    for start in range(0, len(rows), batch_size):
        # Repeat the last row, so that a smaller batch does not compile anew.
        chosen = [min(row, len(rows) - 1) for row in range(start, start + batch_size)]
        batch = stack([rows[row] for row in chosen])
        batch["reference_BHWC"] = given_NHWC[chosen]
        batch["other_look_B"] = np.full(batch_size, other_look)
        last.append(generate(batch)[:, -1])
    return np.concatenate(last)[: len(rows)]


def _gained(
    clip: Backbone, photo_NHWC: np.ndarray, painted: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Medium gained by each method's paintings, float32[N]."""
    texts = zero_shot_classifier(clip)
    medium_ND = np.stack([texts[name] for name in names])
    photo_ND = clip(photo_NHWC)
    return {
        method: np.asarray(
            media_similarity.medium_gained(photo_ND, clip(painted_NHWC), texts[PHOTO], medium_ND)
        )
        for method, painted_NHWC in painted.items()
    }


def _distances(distance: PerceptualDistance, first_NHWC, second_NHWC) -> dict[str, np.ndarray]:
    """Distances of corresponding pictures, by label."""
    return {
        distance.label: np.asarray(perceptual.distances(distance, first_NHWC, second_NHWC)),
        COLOUR: np.asarray(_colour_distances(first_NHWC, second_NHWC)),
    }


@jax.jit
def _colour_distances(first_NHWC: jax.Array, second_NHWC: jax.Array) -> jax.Array:
    return fidelity.colour_difference(first_NHWC, second_NHWC).mean((1, 2))
