"""One picture in several media: the same picture, the same pace, and the right medium?"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.evaluation.backbones import Backbone
from painting_jax.evaluation.cache import Outcome
from painting_jax.evaluation.measures import RECORDED, MeasuredProcess
from painting_jax.evaluation.result import MediaComparison
from painting_jax.metrics import bootstrap, media_similarity
from painting_jax.metrics.bootstrap import NO_INTERVAL, Interval
from painting_jax.metrics.padding import padded, round_up
from painting_jax.metrics.perceptual import unit

# Folds of the pictures: a probe judges those of one fold after training on the others.
_FOLDS = 5

# Pixels a side of the finished pictures whose edges are compared.
_THUMBNAIL = 64

# Patches a side of a picture's self-similarity matrix, which has _PATCHES**4 entries.
_PATCHES = 8

PHOTO = "photo"

# As many as a medium has, `media.descriptions`.
_PHOTO_PROMPTS = ("photo.", "a photo.", "photograph, unedited.")


@dataclasses.dataclass(frozen=True)
class FinishedPicture:
    """A finished picture.

    Attributes:
      row: Row of its process.
      thumbnail_HWC: uint8, of the same size for all.
      vector_C: Features, float32; None if no network provides them.
      clip_D: CLIP's features, float32; None without CLIP.
      structure_LL: Self-similarity of DINO's patch tokens; None without DINO.
    """

    row: MeasuredProcess
    thumbnail_HWC: np.ndarray
    vector_C: np.ndarray | None
    clip_D: np.ndarray | None = None
    structure_LL: np.ndarray | None = None


def zero_shot_classifier(clip: Backbone) -> dict[str, np.ndarray]:
    """Text features of every medium and of `PHOTO` in CLIP's space: float32[D], unit length.

    Raises:
      UserError: If there is no tokenizer beside the weights, or the network takes no texts.
    """
    prompts = {name: media.descriptions(name) for name in media.MEDIA}
    prompts[PHOTO] = list(_PHOTO_PROMPTS)
    texts = [text for of_class in prompts.values() for text in of_class]
    features_MPD = unit(clip.describe(texts)).reshape(len(prompts), len(_PHOTO_PROMPTS), -1)
    return dict(zip(prompts, np.asarray(unit(features_MPD.mean(1))), strict=True))


def finished_features(
    finished: Mapping[str, np.ndarray], dino: Backbone | None
) -> dict[tuple[str, str], np.ndarray]:
    """Features of finished pictures that media are compared by, for `Outcome.features`.

    Args:
      finished: uint8 HWC of one size, by method.
      dino: Provides the structure, float16[L, L]; None omits it.
    """
    features = {
        ("finished", method): pictures.fit(picture_HWC, _THUMBNAIL, _THUMBNAIL)
        for method, picture_HWC in finished.items()
    }
    if dino is not None and finished:
        maps_NHWC = dino.maps(np.stack(list(finished.values())))[-1]
        tokens_NLD = media_similarity.patches(maps_NHWC, side=_PATCHES)
        structure_NLL = np.asarray(media_similarity.self_similarity(tokens_NLD), np.float16)
        for method, structure_LL in zip(finished, structure_NLL, strict=True):
            features["structure", method] = structure_LL
    return features


def finished_pictures(outcome: Outcome) -> list[FinishedPicture]:
    """The finished pictures of an outcome that has their `finished_features`."""
    features = outcome.features
    return [
        FinishedPicture(
            row,
            features["finished", row.method],
            features["frame", row.method][-1] if ("frame", row.method) in features else None,
            features.get(("clip", row.method)),
            features.get(("structure", row.method)),
        )
        for row in outcome.rows
        if ("finished", row.method) in features
    ]


def compare_media(
    finished: Sequence[FinishedPicture], *, classifier: Mapping[str, np.ndarray], seed: int
) -> list[MediaComparison]:
    """Compares media by method, over the pictures that were painted in two media or more.

    Args:
      finished: Finished pictures of all methods; only those with a known medium and picture count.
      classifier: From `zero_shot_classifier`; empty without CLIP.
      seed: Seed of the bootstrap over pictures.
    """
    known = [each for each in finished if each.row.medium and each.row.picture]
    methods = list(dict.fromkeys(each.row.method for each in known))
    recorded = [each for each in known if each.row.method == RECORDED]
    probe_failed = _probe_fails(recorded, seed)
    comparisons = []
    for method in methods:
        mine = [each for each in known if each.row.method == method]
        groups = [group for group in _by_picture(mine) if len({e.row.medium for e in group}) > 1]
        if not groups:
            continue
        pairs_G3 = np.array([_compare_pairs(group) for group in groups])
        edges, pace, structure = (
            bootstrap.interval(of_group_G, seed=seed) for of_group_G in pairs_G3.T
        )
        right_N, chance = _probe(mine, recorded)
        recognised, named = (
            _share(mine, values_N, seed)
            for values_N in (right_N, _zero_shot(mine, recorded, classifier))
        )
        comparisons.append(
            MediaComparison(
                method,
                edges.within(-1, 1),
                pace.within(0, math.inf),
                NO_INTERVAL if probe_failed else recognised,
                chance,
                structure=structure.within(0, math.inf),
                named=named,
                probe_failed=probe_failed,
            )
        )
    return comparisons


def _share(mine: Sequence[FinishedPicture], right_N: np.ndarray, seed: int) -> Interval:
    pictures_N = np.array([each.row.picture for each in mine])
    return bootstrap.interval(right_N, pictures_N=pictures_N, seed=seed).within(0, 1)


def _probe_fails(recorded: Sequence[FinishedPicture], seed: int) -> bool:
    """Whether the probe names the media of recorded pictures no better than by chance.

    Its verdicts on other pictures then say nothing about them.
    """
    right_N, chance = _probe(recorded, recorded)
    recognised = _share(recorded, right_N, seed)
    return recognised.n > 0 and not recognised.low > chance


def with_gained(
    comparisons: Sequence[MediaComparison], gained: Mapping[str, Interval]
) -> list[MediaComparison]:
    """Adds the medium gained from photos, by method."""
    by_method = {each.method: each for each in comparisons}
    for method, interval in gained.items():
        known = by_method.get(method, MediaComparison(method))
        by_method[method] = dataclasses.replace(known, gained=interval)
    return list(by_method.values())


def _by_picture(finished: Iterable[FinishedPicture]) -> list[list[FinishedPicture]]:
    groups: dict[str, list[FinishedPicture]] = {}
    for each in finished:
        groups.setdefault(each.row.picture, []).append(each)
    return list(groups.values())


def _compare_pairs(group: Sequence[FinishedPicture]) -> tuple[float, float, float]:
    """Mean agreement of edges, and distance of pace and of structure, over a picture's media."""
    first, second = np.triu_indices(len(group), 1)
    pairs = [padded(index, round_up(len(first))) for index in (first, second)]
    pictures_NHWC = np.stack([each.thumbnail_HWC for each in group])
    edges_P = media_similarity.edge_agreement(*(pictures_NHWC[index] for index in pairs))
    profile_NK = np.stack([each.row.own_profile_K for each in group])
    room = round_up(len(group))
    pace = media_similarity.pace_disagreement(
        padded(profile_NK, room), np.arange(room) < len(group)
    )
    structure = math.nan
    if all(each.structure_LL is not None for each in group):
        structure_NLL = np.stack([each.structure_LL for each in group])
        structure_P = media_similarity.structure_distance(
            *(structure_NLL[index] for index in pairs)
        )
        structure = float(np.asarray(structure_P)[: len(first)].mean())
    return float(np.asarray(edges_P)[: len(first)].mean()), float(pace), structure


def _probe(
    mine: Sequence[FinishedPicture], recorded: Sequence[FinishedPicture]
) -> tuple[np.ndarray, float]:
    """Whether a linear probe names each medium, NaN without training data; and chance accuracy."""
    right_N = np.full(len(mine), math.nan)
    media_known = sorted({each.row.medium for each in recorded})
    pictures_known = sorted({each.row.picture for each in recorded})
    counts = [sum(each.row.medium == medium for each in mine) for medium in media_known]
    chance = max(counts) / len(mine) if media_known and mine else math.nan
    missing = any(each.vector_C is None for each in (*recorded, *mine))
    if len(media_known) < 2 or len(pictures_known) < 2 or missing:
        return right_N, chance
    room = round_up(len(recorded))
    vectors_NC = padded(np.stack([each.vector_C for each in recorded]), room)
    label_N = padded(np.array([media_known.index(each.row.medium) for each in recorded]), room)
    folds = min(_FOLDS, len(pictures_known))
    fold_of = {picture: index % folds for index, picture in enumerate(pictures_known)}
    fold_N = np.array([fold_of[each.row.picture] for each in recorded])
    # Fold None: pictures that were never recorded are judged by a probe trained on all.
    for fold in [*range(folds), None]:
        probe = media_similarity.ridge_probe(
            vectors_NC, label_N, padded(fold_N != fold, room), classes=len(media_known)
        )
        for index, each in enumerate(mine):
            if fold_of.get(each.row.picture) == fold:
                scores_M = media_similarity.probe_scores(probe, each.vector_C[None])[0]
                right_N[index] = media_known[int(np.argmax(scores_M))] == each.row.medium
    return right_N, chance


def _zero_shot(
    mine: Sequence[FinishedPicture],
    recorded: Sequence[FinishedPicture],
    classifier: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Whether CLIP names each medium among the recorded ones; NaN without CLIP."""
    media_known = sorted({each.row.medium for each in recorded} & classifier.keys())
    if len(media_known) < 2 or any(each.clip_D is None for each in mine):
        return np.full(len(mine), math.nan)
    picture_ND = padded(np.stack([each.clip_D for each in mine]), round_up(len(mine)))
    text_MD = np.stack([classifier[medium] for medium in media_known])
    scores_NM = np.asarray(media_similarity.zero_shot_scores(picture_ND, text_MD))[: len(mine)]
    named_N = np.array(media_known)[scores_NM.argmax(1)]
    return (named_N == [each.row.medium for each in mine]).astype(float)
