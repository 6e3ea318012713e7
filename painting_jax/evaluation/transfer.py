"""Does a medium's look come from the medium? Grey and line versions of a picture, painted."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import numpy as np

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.data.painter import line_art
from painting_jax.data.pipeline import Examples, Source, stack
from painting_jax.diffusion import cross_media
from painting_jax.evaluation import naming
from painting_jax.evaluation.backbones import Backbone
from painting_jax.evaluation.measures import GENERATED, RECORDED
from painting_jax.evaluation.store import Store
from painting_jax.metrics import bootstrap, colour, perceptual
from painting_jax.metrics import cross_media as of_media
from painting_jax.metrics.bootstrap import Interval
from painting_jax.metrics.perceptual import PerceptualDistance
from painting_jax.models.codec import to_float, to_uint8

# Media with colours of their own: from a grey picture there is something to add.
COLOURED = tuple(name for name, medium in media.MEDIA.items() if not medium.mono)

# So many photos and what is painted from them are held at once.
_HELD = 64


COLOUR = "colours, Delta E / 100"


@dataclasses.dataclass(frozen=True)
class Transfer:
    """How near the model comes to the painter's picture from a picture in another look.

    Attributes:
      look: of the picture that the model was given.
      media: that it was painted in.
      measure: the distance's label.
      given: distance of the given picture to the painter's finished one.
      painted: distance of the model's last frame to it.
      nearer: the paired difference, given less painted; above 0 the model came nearer.
    """

    look: str
    media: str
    measure: str
    given: Interval
    painted: Interval
    nearer: Interval


def grey(photo_HWC: np.ndarray) -> np.ndarray:
    """A picture without its colours, uint8."""
    luma = cross_media.luminance(to_float(jax.numpy.asarray(photo_HWC)))
    return np.asarray(to_uint8(luma)).repeat(3, -1)


PHOTO = "photo"
LOOKS = {PHOTO: lambda photo_HWC: photo_HWC, "grey photo": grey, "line drawing": line_art}


def transfers(
    distance: PerceptualDistance,
    source: Source,
    examples: Examples,
    *,
    clip: Backbone | None,
    generate: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    batch_size: int,
    at_most: int,
    seed: int,
    store: Store,
    watch: Callable[[Iterable, str], Iterable],
) -> tuple[list[Transfer], dict[str, Interval]]:
    """Paints held-out photos, and their grey and line versions, in every coloured medium.

    Args:
      distance: the perceptual distance.
      source: the held-out split, its processes with the photo they were painted from.
      examples: makes its rows.
      clip: says what paintings gained, if it was named.
      generate: batch -> frames_BTHWC uint8 in painted order.
      batch_size: of the batches that `generate` gets.
      at_most: processes of the split that are looked at; never more than 64, which are held at
        once.
      seed: of the bootstrap.
      store: where the outcome is kept, and looked for first.
      watch: wraps an iterable, with what is done, to show progress.

    Returns:
      One entry a look and distance over all coloured media, and one for oil alone; none without
      photos. Beside the perceptual distance, which heeds structure, stands that of the colours.
      And how far what the model and what the painter made of the photos differs from them as its
      medium does from photos (`cross_media.medium_gained`), by method; empty without CLIP.
    """
    kept = store.get("paintings of photos")
    if kept:
        return [
            Transfer(look, media, measure, *(Interval(*found) for found in intervals))
            for look, media, measure, *intervals in kept[0]["transfers"]
        ], {method: Interval(*found) for method, found in kept[0]["gained"].items()}
    photos, rows, of_pictures = _photos(source, examples, min(at_most, _HELD))
    if not rows:
        return [], {}
    finished_NHWC = np.stack([row["frames_BTHWC"][-1] for row in rows])
    names = [examples.media[row["medium_BM"].argmax()] for row in rows]
    found, gained = [], {}
    for look, change in watch(LOOKS.items(), "painting other looks"):
        given_NHWC = np.stack([change(photo_HWC) for photo_HWC in photos])
        painted_NHWC = _painted(rows, given_NHWC, generate, batch_size)
        if clip is not None and look == PHOTO:
            painted = {GENERATED: painted_NHWC, RECORDED: finished_NHWC}
            gained = {
                method: bootstrap.interval(of_photo_N, pictures_N=of_pictures, seed=seed)
                for method, of_photo_N in _gained(clip, given_NHWC, painted, names).items()
            }
        before = _distances(distance, given_NHWC, finished_NHWC)
        after = _distances(distance, painted_NHWC, finished_NHWC)
        for label, chosen in (("all with colour", COLOURED), ("oil", ("oil",))):
            of_N = np.isin(names, chosen)
            for measure, before_N in before.items():
                values = (before_N, after[measure], before_N - after[measure])
                intervals = (
                    bootstrap.interval(values_N[of_N], pictures_N=of_pictures[of_N], seed=seed)
                    for values_N in values
                )
                found.append(Transfer(look, label, measure, *intervals))
    told = {"transfers": [list(dataclasses.astuple(each)) for each in found], "gained": gained}
    store.put("paintings of photos", told, {})
    return found, gained


def _gained(
    clip: Backbone,
    photo_NHWC: np.ndarray,
    painted: Mapping[str, np.ndarray],
    names: Sequence[str],
) -> dict[str, np.ndarray]:
    """float32[N] by method, for the paintings of each."""
    words = naming.vectors(clip)
    medium_ND = np.stack([words[name] for name in names])
    photo_ND = clip(photo_NHWC)
    return {
        method: np.asarray(
            of_media.medium_gained(photo_ND, clip(painted_NHWC), words[naming.PHOTO], medium_ND)
        )
        for method, painted_NHWC in painted.items()
    }


def _photos(
    source: Source, examples: Examples, at_most: int
) -> tuple[list[np.ndarray], list[dict[str, np.ndarray]], np.ndarray]:
    """Photos, the rows painted from them, and what identifies each one's picture."""
    photos, rows, of_pictures = [], [], []
    for index in range(min(at_most, len(source))):
        record = source.record(index)
        kept = [variant.image for variant in record.variants if variant.kind == "photo"]
        if kept and record.medium in COLOURED:
            photo_HWC = pictures.decode(kept[0])
            photos.append(pictures.fit(photo_HWC, examples.height, examples.width))
            rows.append(examples.of(record, index, None))
            of_pictures.append(record.source or record.id)
    return photos, rows, np.array(of_pictures)


def _painted(rows: Sequence[Mapping], given_NHWC, generate, batch_size: int) -> np.ndarray:
    last = []
    for start in range(0, len(rows), batch_size):
        # Filled up to one size, so that nothing is compiled anew.
        chosen = [min(row, len(rows) - 1) for row in range(start, start + batch_size)]
        batch = stack([rows[row] for row in chosen])
        batch["reference_BHWC"] = given_NHWC[chosen]
        last.append(generate(batch)[:, -1])
    return np.concatenate(last)[: len(rows)]


def _distances(distance: PerceptualDistance, first_NHWC, second_NHWC) -> dict[str, np.ndarray]:
    """By the distance's label."""
    return {
        distance.label: np.asarray(perceptual.distances(distance, first_NHWC, second_NHWC)),
        COLOUR: np.asarray(_colour_distances(first_NHWC, second_NHWC)),
    }


@jax.jit
def _colour_distances(first_NHWC: jax.Array, second_NHWC: jax.Array) -> jax.Array:
    return colour.difference(first_NHWC, second_NHWC).mean((1, 2))
