"""One picture in several media: is it the same picture, the same pace, and the right medium?"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from painting_jax.data import pictures
from painting_jax.evaluation.backbones import Backbone
from painting_jax.evaluation.measures import RECORDED, Measured
from painting_jax.evaluation.outcome import Outcome
from painting_jax.evaluation.padding import padded, round_up
from painting_jax.metrics import bootstrap, cross_media
from painting_jax.metrics.bootstrap import Interval

_NOTHING = Interval(math.nan, math.nan, math.nan, 0)

# Pictures are dealt into so many parts; a probe judges those of one, having seen the others'.
_FOLDS = 5

# Pixels a side of the finished pictures whose edges are compared.
_THUMBNAIL = 64

# Parts a side of a picture whose likeness to each other is its structure: its numbers are so many
# to the power of four.
_PARTS = 8


@dataclasses.dataclass(frozen=True)
class Finished:
    """A finished picture.

    Attributes:
      row: of its process.
      thumbnail_HWC: uint8, of one shape for all.
      vector_C: float32, its features; None where no network gives any.
      clip_D: float32, its place in CLIP's space; None without CLIP.
      structure_LL: how alike its parts are to DINO; None without DINO.
    """

    row: Measured
    thumbnail_HWC: np.ndarray
    vector_C: np.ndarray | None
    clip_D: np.ndarray | None = None
    structure_LL: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Across:
    """How one method paints the same pictures in several media; each NaN where it was not taken.

    Attributes:
      method: whose processes.
      edges: agreement of the edges of finished pictures between media, 1 = in the same places.
      pace: area between relative distance profiles between media, 0 = paced alike.
      recognised: share of the pictures whose medium a linear probe names, that was trained on
        recorded ones of other pictures.
      chance: what always naming the commonest medium would reach.
      structure: distance between the self-similarities of DINO's patches of finished pictures
        between media, 0 = composed alike.
      named: share of the pictures whose medium CLIP names without training, among those recorded.
      gained: cosine between the change from photo to painting and that from photos to the medium in
        CLIP's words, 1 = just so.
    """

    method: str
    edges: Interval = _NOTHING
    pace: Interval = _NOTHING
    recognised: Interval = _NOTHING
    chance: float = math.nan
    structure: Interval = _NOTHING
    named: Interval = _NOTHING
    gained: Interval = _NOTHING


def features(
    pictures_BHWC: np.ndarray, method: str, dino: Backbone | None
) -> list[dict[tuple[str, str], np.ndarray]]:
    """Of each finished picture what media are compared by, for `Outcome.features`.

    Args:
      pictures_BHWC: uint8.
      method: that made them.
      dino: says how alike the parts of a picture are, float16[L, L]; None leaves it out.
    """
    found = [
        {("finished", method): pictures.fit(picture_HWC, _THUMBNAIL, _THUMBNAIL)}
        for picture_HWC in pictures_BHWC
    ]
    if dino is not None:
        tokens_BLD = cross_media.patches(dino.maps(pictures_BHWC)[-1], side=_PARTS)
        structure_BLL = np.asarray(cross_media.self_similarity(tokens_BLD), np.float16)
        for each, structure_LL in zip(found, structure_BLL, strict=True):
            each["structure", method] = structure_LL
    return found


def finished(found: Outcome) -> list[Finished]:
    """Of an outcome the finished pictures that `features` were taken of."""
    last = {key: array[-1] for key, array in found.features.items() if key[0] == "frame"}
    return [
        Finished(
            row,
            found.features["finished", row.method],
            last.get(("frame", row.method)),
            found.features.get(("clip", row.method)),
            found.features.get(("structure", row.method)),
        )
        for row in found.rows
        if ("finished", row.method) in found.features
    ]


def across(
    finished: Sequence[Finished], *, names: Mapping[str, np.ndarray], seed: int
) -> list[Across]:
    """Compares media by method, over the pictures that were painted in two of them or more.

    Args:
      finished: of all methods; only pictures whose medium and picture are known count.
      names: of media in CLIP's space, by medium; empty without CLIP.
      seed: of the bootstrap over pictures.
    """
    known = [each for each in finished if each.row.medium and each.row.picture]
    methods = list(dict.fromkeys(each.row.method for each in known))
    recorded = [each for each in known if each.row.method == RECORDED]
    found = []
    for method in methods:
        mine = [each for each in known if each.row.method == method]
        groups = [group for group in _by_picture(mine) if len({e.row.medium for e in group}) > 1]
        if not groups:
            continue
        pairs_G3 = np.array([_pairs(group) for group in groups])
        edges, pace, structure = (
            bootstrap.interval(of_group_G, seed=seed) for of_group_G in pairs_G3.T
        )
        right_N, chance = _recognised(mine, recorded)
        pictures_N = np.array([each.row.picture for each in mine])
        recognised, named = (
            bootstrap.interval(values_N, pictures_N=pictures_N, seed=seed)
            for values_N in (right_N, _named(mine, recorded, names))
        )
        found.append(
            Across(method, edges, pace, recognised, chance, structure=structure, named=named)
        )
    return found


def with_gained(found: Sequence[Across], gained: Mapping[str, Interval]) -> list[Across]:
    """The same with what paintings of photos gained, by method."""
    by_method = {each.method: each for each in found}
    for method, interval in gained.items():
        known = by_method.get(method, Across(method))
        by_method[method] = dataclasses.replace(known, gained=interval)
    return list(by_method.values())


def _by_picture(finished: Iterable[Finished]) -> list[list[Finished]]:
    groups: dict[str, list[Finished]] = {}
    for each in finished:
        groups.setdefault(each.row.picture, []).append(each)
    return list(groups.values())


def _pairs(group: Sequence[Finished]) -> tuple[float, float, float]:
    """Of one picture's media: mean agreement of edges, difference of pace and of structure."""
    first, second = np.triu_indices(len(group), 1)
    pictures_NHWC = np.stack([each.thumbnail_HWC for each in group])
    size = round_up(len(first))
    edges_P = cross_media.edge_agreement(
        pictures_NHWC[padded(first, size)], pictures_NHWC[padded(second, size)]
    )
    profile_NK = np.stack([each.row.own_profile_K for each in group])
    room = round_up(len(group))
    _, pace = cross_media.pace_disagreement(padded(profile_NK, room), np.arange(room) < len(group))
    structure = math.nan
    if all(each.structure_LL is not None for each in group):
        structure_NLL = np.stack([each.structure_LL for each in group])
        structure_P = cross_media.structure_distance(
            structure_NLL[padded(first, size)], structure_NLL[padded(second, size)]
        )
        structure = float(np.asarray(structure_P)[: len(first)].mean())
    return float(np.asarray(edges_P)[: len(first)].mean()), float(pace), structure


def _recognised(mine: Sequence[Finished], recorded: Sequence[Finished]) -> tuple[np.ndarray, float]:
    """Whether each one's medium is named, NaN where there is nothing to learn it from; chance."""
    right_N = np.full(len(mine), math.nan)
    media = sorted({each.row.medium for each in recorded})
    pictures = sorted({each.row.picture for each in recorded})
    counts = np.array([sum(each.row.medium == medium for each in mine) for medium in media])
    chance = float(counts.max() / len(mine)) if media and mine else math.nan
    if len(media) < 2 or len(pictures) < 2 or any(e.vector_C is None for e in (*recorded, *mine)):
        return right_N, chance
    room = round_up(len(recorded))
    vectors_NC = padded(np.stack([each.vector_C for each in recorded]), room)
    label_N = padded(np.array([media.index(each.row.medium) for each in recorded]), room)
    folds = min(_FOLDS, len(pictures))
    fold_of = {picture: place % folds for place, picture in enumerate(pictures)}
    fold_N = np.array([fold_of[each.row.picture] for each in recorded])
    # Those of pictures that none was recorded of are judged by all that were.
    for fold in [*range(folds), None]:
        probe = cross_media.ridge_probe(
            vectors_NC, label_N, padded(fold_N != fold, room), classes=len(media)
        )
        for place, each in enumerate(mine):
            if fold_of.get(each.row.picture) == fold:
                scores_M = cross_media.probe_scores(probe, each.vector_C[None])[0]
                right_N[place] = media[int(np.argmax(scores_M))] == each.row.medium
    return right_N, chance


def _named(
    mine: Sequence[Finished], recorded: Sequence[Finished], names: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Whether CLIP names each one's medium, among the recorded ones; NaN without CLIP."""
    media = sorted({each.row.medium for each in recorded} & names.keys())
    if len(media) < 2 or any(each.clip_D is None for each in mine):
        return np.full(len(mine), math.nan)
    picture_ND = padded(np.stack([each.clip_D for each in mine]), round_up(len(mine)))
    text_MD = np.stack([names[medium] for medium in media])
    first_N = np.asarray(cross_media.recognise(picture_ND, text_MD)).argmax(1)[: len(mine)]
    return np.array(
        [media[first] == each.row.medium for first, each in zip(first_N, mine, strict=True)], float
    )
