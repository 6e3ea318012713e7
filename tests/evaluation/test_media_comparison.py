"""Pictures in several media, compared with each other, and CLIP's zero-shot classifier."""

import dataclasses

import numpy as np
import pytest

from painting_jax import media
from painting_jax.errors import UserError
from painting_jax.evaluation.backbones import Backbone
from painting_jax.evaluation.measures import GENERATED, RECORDED, MeasuredProcess
from painting_jax.evaluation.media_comparison import (
    PHOTO,
    FinishedPicture,
    compare_media,
    with_gained,
    zero_shot_classifier,
)
from painting_jax.metrics.bootstrap import Interval
from tests.evaluation import tiny_networks
from tests.evaluation.recordings import process

MEDIA = ("ink", "oil")


# Text features of the media, and of a medium without recordings.
CLASSES = dict(zip((*MEDIA, "pastel"), np.eye(4, dtype=np.float32), strict=False))


def _finished(method, picture, medium, *, pace=1.0, thumbnail=None, vector=None, **more):
    """Features tell the medium; by default a picture has the same edges in every one."""
    curve_K = (1 - np.linspace(0, 1, 33)) ** pace
    row = MeasuredProcess(
        f"{picture}-{medium}", method, medium, {}, curve_K, curve_K, picture=picture
    )
    if thumbnail is None:
        thumbnail = process(int(picture), frames=3)[-1]
    if vector is None:
        noise = np.random.default_rng(int(picture)).normal(0, 0.1, 4)
        vector = np.eye(4)[MEDIA.index(medium)] + noise
    return FinishedPicture(row, thumbnail, vector.astype(np.float32), **more)


@pytest.fixture
def recorded():
    return [_finished(RECORDED, p, medium) for p in "0123" for medium in MEDIA]


def test_the_same_picture_at_the_same_pace_in_the_right_media(recorded):
    (found,) = compare_media(recorded, classifier={}, seed=0)
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
    found = {
        each.method: each for each in compare_media([*recorded, *wrong], classifier={}, seed=0)
    }
    assert found[GENERATED].edges.mean < 0.5
    assert found[GENERATED].pace.mean > 0.1
    assert found[GENERATED].recognised.mean == 0.5


def test_pictures_that_nothing_recorded_shows_are_judged_by_all_that_was(recorded):
    others = [_finished(GENERATED, picture, medium) for picture in "78" for medium in MEDIA]
    found = {
        each.method: each for each in compare_media([*recorded, *others], classifier={}, seed=0)
    }
    assert found[GENERATED].recognised.mean == 1
    assert found[GENERATED].recognised.n == 4


def test_a_probe_that_does_not_tell_recorded_media_apart_is_left_out(recorded):
    """It scored what chance scores on recorded pictures, and was shown all the same."""
    rng = np.random.default_rng(5)
    alike = [
        dataclasses.replace(each, vector_C=rng.normal(size=4).astype(np.float32))
        for each in recorded
    ]
    generated = [_finished(GENERATED, p, medium) for p in "0123" for medium in MEDIA]
    for found in compare_media([*alike, *generated], classifier={}, seed=0):
        assert found.probe_failed
        assert found.recognised.n == 0
        assert found.edges.n == 4
    assert not any(
        each.probe_failed for each in compare_media([*recorded, *generated], classifier={}, seed=0)
    )


def _seen(medium, *, named):
    """With a place in CLIP's space, and parts whose likeness to each other changes by medium."""
    likeness = 1 if medium == "oil" else 0.5
    clip_D = CLASSES[named] + 0.1 * CLASSES["pastel"]
    return {"clip_D": clip_D, "structure_LL": np.full((3, 3), likeness, np.float16)}


def test_the_medium_is_named_and_the_structure_compared_where_clip_and_dino_are_there():
    right = [_finished(RECORDED, p, m, **_seen(m, named=m)) for p in "01" for m in MEDIA]
    wrong = [_finished(GENERATED, p, m, **_seen(m, named="oil")) for p in "01" for m in MEDIA]
    recorded, generated = compare_media([*right, *wrong], classifier=CLASSES, seed=0)
    assert recorded.named.mean == 1
    assert generated.named.mean == generated.chance == 0.5
    assert generated.named.n == 4
    assert generated.structure.mean == pytest.approx(0.5)
    assert generated.structure.n == 2


def test_a_name_that_nothing_recorded_has_is_no_candidate():
    """The probe knows the recorded media alone: the two shares have the same chance."""
    near_pastel = {"clip_D": CLASSES["pastel"] + 0.1 * CLASSES["oil"]}
    finished = [_finished(RECORDED, p, m, **near_pastel) for p in "01" for m in MEDIA]
    (found,) = compare_media(finished, classifier=CLASSES, seed=0)
    assert found.named.mean == 0.5


def test_without_clip_and_dino_there_is_no_number(recorded):
    (found,) = compare_media(recorded, classifier={}, seed=0)
    assert found.named.n == found.structure.n == found.gained.n == 0


def test_what_paintings_gained_stands_beside_the_rest(recorded):
    gained = Interval(0.4, 0.3, 0.5, 6, 6)
    found = with_gained(
        compare_media(recorded, classifier={}, seed=0), {RECORDED: gained, GENERATED: gained}
    )
    assert [each.method for each in found] == [RECORDED, GENERATED]
    assert found[0].gained == found[1].gained == gained
    assert found[0].edges.n == 4
    assert found[1].edges.n == 0


def test_one_medium_alone_has_nothing_to_be_compared_with(recorded):
    assert (
        compare_media(
            [each for each in recorded if each.row.medium == "oil"], classifier={}, seed=0
        )
        == []
    )
    unknown = [
        dataclasses.replace(each, row=dataclasses.replace(each.row, medium="")) for each in recorded
    ]
    assert compare_media(unknown, classifier={}, seed=0) == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Backbone:
    folder = tiny_networks.write_clip(tmp_path_factory.mktemp("clip"))
    return tiny_networks.open_backbone(f"clip={folder}")


def test_every_medium_and_photos_have_a_direction_of_their_own(clip):
    found = zero_shot_classifier(clip)
    assert set(found) == {*media.MEDIA, PHOTO}
    vectors_MD = np.stack(list(found.values()))
    np.testing.assert_allclose(np.linalg.norm(vectors_MD, axis=1), 1, rtol=1e-5)
    cosine_MM = vectors_MD @ vectors_MD.T
    assert (cosine_MM - np.eye(len(found)) < 1 - 1e-4).all()


def test_it_is_the_mean_of_several_sentences_of_unit_length(clip, monkeypatch):
    monkeypatch.setattr(media, "_DESCRIPTIONS", ("{}.", "artwork, {}.", "{}."))
    said = np.asarray(clip.describe(["oil painting.", "artwork, oil painting."]))
    said = said / np.linalg.norm(said, axis=1, keepdims=True)
    expected = 2 * said[0] + said[1]
    expected = expected / np.linalg.norm(expected)
    np.testing.assert_allclose(zero_shot_classifier(clip)["oil"], expected, rtol=1e-4, atol=1e-5)


def test_a_network_without_texts_names_nothing(tmp_path):
    dino = tiny_networks.open_backbone(f"dino={tiny_networks.write_dino(tmp_path)}")
    with pytest.raises(UserError, match="takes no texts"):
        zero_shot_classifier(dino)
