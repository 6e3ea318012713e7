"""One picture in several media: is it the same picture, the same pace, and the right medium?"""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from painting_jax.evaluation.measures import RECORDED, Measured
from painting_jax.evaluation.padding import padded, round_up
from painting_jax.metrics import bootstrap, cross_media
from painting_jax.metrics.bootstrap import Interval

# Pictures are dealt into so many parts; a probe judges those of one, having seen the others'.
_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Finished:
    """A finished picture.

    Attributes:
      row: of its process.
      thumbnail_HWC: uint8, of one shape for all.
      vector_C: float32, its features; None where no network gives any.
    """

    row: Measured
    thumbnail_HWC: np.ndarray
    vector_C: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Across:
    """How one method paints the same pictures in several media.

    Attributes:
      method: whose processes.
      edges: agreement of the edges of finished pictures between media, 1 = in the same places.
      pace: area between relative distance profiles between media, 0 = paced alike.
      recognised: share of the pictures whose medium a linear probe names, that was trained on
        recorded ones of other pictures.
      chance: what always naming the commonest medium would reach.
    """

    method: str
    edges: Interval
    pace: Interval
    recognised: Interval
    chance: float


def across(finished: Sequence[Finished], *, seed: int) -> list[Across]:
    """Compares media by method, over the pictures that were painted in two of them or more.

    Args:
      finished: of all methods; only pictures whose medium and picture are known count.
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
        pairs = [_pairs(group) for group in groups]
        right_N, chance = _recognised(mine, recorded)
        found.append(
            Across(
                method,
                bootstrap.interval(np.array([edges for edges, _ in pairs]), seed=seed),
                bootstrap.interval(np.array([pace for _, pace in pairs]), seed=seed),
                bootstrap.interval(
                    right_N, pictures_N=np.array([e.row.picture for e in mine]), seed=seed
                ),
                chance,
            )
        )
    return found


def _by_picture(finished: Iterable[Finished]) -> list[list[Finished]]:
    groups: dict[str, list[Finished]] = {}
    for each in finished:
        groups.setdefault(each.row.picture, []).append(each)
    return list(groups.values())


def _pairs(group: Sequence[Finished]) -> tuple[float, float]:
    """Of one picture's media: mean agreement of edges, mean difference of pace."""
    first, second = np.triu_indices(len(group), 1)
    pictures_NHWC = np.stack([each.thumbnail_HWC for each in group])
    size = round_up(len(first))
    edges_P = cross_media.edge_agreement(
        pictures_NHWC[padded(first, size)], pictures_NHWC[padded(second, size)]
    )
    profile_NK = np.stack([each.row.own_profile_K for each in group])
    room = round_up(len(group))
    _, pace = cross_media.pace_disagreement(padded(profile_NK, room), np.arange(room) < len(group))
    return float(np.asarray(edges_P)[: len(first)].mean()), float(pace)


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
    for fold in range(folds):
        probe = cross_media.ridge_probe(
            vectors_NC, label_N, padded(fold_N != fold, room), classes=len(media)
        )
        for place, each in enumerate(mine):
            if fold_of.get(each.row.picture) == fold:
                scores_M = cross_media.probe_scores(probe, each.vector_C[None])[0]
                right_N[place] = media[int(np.argmax(scores_M))] == each.row.medium
    return right_N, chance
