"""Pictures in several media, held against each other."""

import dataclasses

import numpy as np
import pytest

from painting_jax.evaluation.across import Finished, across
from painting_jax.evaluation.measures import GENERATED, RECORDED, Measured
from tests.evaluation.recordings import process

MEDIA = ("ink", "oil")


def _finished(method, picture, medium, *, pace=1.0, thumbnail=None, vector=None):
    """Features tell the medium; by default a picture has the same edges in every one."""
    curve_K = (1 - np.linspace(0, 1, 33)) ** pace
    row = Measured(f"{picture}-{medium}", method, medium, {}, curve_K, curve_K, picture=picture)
    if thumbnail is None:
        thumbnail = process(int(picture), frames=3)[-1]
    if vector is None:
        noise = np.random.default_rng(int(picture)).normal(0, 0.1, 4)
        vector = np.eye(4)[MEDIA.index(medium)] + noise
    return Finished(row, thumbnail, vector.astype(np.float32))


@pytest.fixture
def recorded():
    return [_finished(RECORDED, p, medium) for p in "0123" for medium in MEDIA]


def test_the_same_picture_at_the_same_pace_in_the_right_media(recorded):
    (found,) = across(recorded, seed=0)
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
    found = {each.method: each for each in across([*recorded, *wrong], seed=0)}
    assert found[GENERATED].edges.mean < 0.5
    assert found[GENERATED].pace.mean > 0.1
    assert found[GENERATED].recognised.mean == 0.5


def test_one_medium_alone_has_nothing_to_be_compared_with(recorded):
    assert across([each for each in recorded if each.row.medium == "oil"], seed=0) == []
    unknown = [
        dataclasses.replace(each, row=dataclasses.replace(each.row, medium="")) for each in recorded
    ]
    assert across(unknown, seed=0) == []
