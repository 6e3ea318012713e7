"""Pictures in several media, held against each other."""

import dataclasses

import numpy as np
import pytest

from painting_jax.evaluation.across import Finished, across, with_gained
from painting_jax.evaluation.measures import GENERATED, RECORDED, Measured
from painting_jax.metrics.bootstrap import Interval
from tests.evaluation.recordings import process

MEDIA = ("ink", "oil")


# Where CLIP has the media's names, and a medium that nothing was recorded in.
NAMES = dict(zip((*MEDIA, "pastel"), np.eye(4, dtype=np.float32), strict=False))


def _finished(method, picture, medium, *, pace=1.0, thumbnail=None, vector=None, **more):
    """Features tell the medium; by default a picture has the same edges in every one."""
    curve_K = (1 - np.linspace(0, 1, 33)) ** pace
    row = Measured(f"{picture}-{medium}", method, medium, {}, curve_K, curve_K, picture=picture)
    if thumbnail is None:
        thumbnail = process(int(picture), frames=3)[-1]
    if vector is None:
        noise = np.random.default_rng(int(picture)).normal(0, 0.1, 4)
        vector = np.eye(4)[MEDIA.index(medium)] + noise
    return Finished(row, thumbnail, vector.astype(np.float32), **more)


@pytest.fixture
def recorded():
    return [_finished(RECORDED, p, medium) for p in "0123" for medium in MEDIA]


def test_the_same_picture_at_the_same_pace_in_the_right_media(recorded):
    (found,) = across(recorded, names={}, seed=0)
    assert found.edges.mean == pytest.approx(1, abs=1e-5)
    assert found.pace.mean == 0
    assert found.edges.n == 4
    assert found.recognised.mean == 1
    assert found.recognised.n == 8
    assert found.chance == 0.5


def test_other_pictures_another_pace_and_the_wrong_medium_are_seen(recorded):
    wrong = [
        _finished(
            GENERATED,
            picture,
            medium,
            pace=1 + 3 * (medium == "oil"),
            thumbnail=process(10 * int(picture) + MEDIA.index(medium) + 7, frames=3)[-1],
            vector=np.eye(4)[0],
        )
        for picture in "0123"
        for medium in MEDIA
    ]
    found = {each.method: each for each in across([*recorded, *wrong], names={}, seed=0)}
    assert found[GENERATED].edges.mean < 0.5
    assert found[GENERATED].pace.mean > 0.1
    assert found[GENERATED].recognised.mean == 0.5


def test_pictures_that_nothing_recorded_shows_are_judged_by_all_that_was(recorded):
    others = [_finished(GENERATED, picture, medium) for picture in "78" for medium in MEDIA]
    found = {each.method: each for each in across([*recorded, *others], names={}, seed=0)}
    assert found[GENERATED].recognised.mean == 1
    assert found[GENERATED].recognised.n == 4


def _seen(medium, *, named):
    """With a place in CLIP's space, and parts whose likeness to each other changes by medium."""
    likeness = 1 if medium == "oil" else 0.5
    clip_D = NAMES[named] + 0.1 * NAMES["pastel"]
    return {"clip_D": clip_D, "structure_LL": np.full((3, 3), likeness, np.float16)}


def test_the_medium_is_named_and_the_structure_compared_where_clip_and_dino_are_there():
    right = [_finished(RECORDED, p, m, **_seen(m, named=m)) for p in "01" for m in MEDIA]
    wrong = [_finished(GENERATED, p, m, **_seen(m, named="oil")) for p in "01" for m in MEDIA]
    recorded, generated = across([*right, *wrong], names=NAMES, seed=0)
    assert recorded.named.mean == 1
    assert generated.named.mean == generated.chance == 0.5
    assert generated.named.n == 4
    assert generated.structure.mean == pytest.approx(0.5)
    assert generated.structure.n == 2


def test_a_name_that_nothing_recorded_has_is_no_candidate():
    """The probe knows the recorded media alone: the two shares have the same chance."""
    near_pastel = {"clip_D": NAMES["pastel"] + 0.1 * NAMES["oil"]}
    finished = [_finished(RECORDED, p, m, **near_pastel) for p in "01" for m in MEDIA]
    (found,) = across(finished, names=NAMES, seed=0)
    assert found.named.mean == 0.5


def test_without_clip_and_dino_there_is_no_number(recorded):
    (found,) = across(recorded, names={}, seed=0)
    assert found.named.n == found.structure.n == found.gained.n == 0


def test_what_paintings_gained_stands_beside_the_rest(recorded):
    gained = Interval(0.4, 0.3, 0.5, 6)
    found = with_gained(across(recorded, names={}, seed=0), {RECORDED: gained, GENERATED: gained})
    assert [each.method for each in found] == [RECORDED, GENERATED]
    assert found[0].gained == found[1].gained == gained
    assert found[0].edges.n == 4
    assert found[1].edges.n == 0


def test_one_medium_alone_has_nothing_to_be_compared_with(recorded):
    assert across([each for each in recorded if each.row.medium == "oil"], names={}, seed=0) == []
    unknown = [
        dataclasses.replace(each, row=dataclasses.replace(each.row, medium="")) for each in recorded
    ]
    assert across(unknown, names={}, seed=0) == []
