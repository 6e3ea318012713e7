"""A model's held-out processes beside the recorded ones and the baselines."""

import dataclasses

import numpy as np
import pytest

from painting_jax.data import pictures, pipeline, video
from painting_jax.data.process import Process
from painting_jax.errors import UserError
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.measurement import evaluate
from painting_jax.evaluation.measures import (
    BLUR_TO_SHARP,
    CROSS_FADE,
    GENERATED,
    OTHER_PICTURE,
    RECORDED,
)
from painting_jax.evaluation.media_comparison import zero_shot_classifier
from painting_jax.evaluation.result import Result
from painting_jax.evaluation.run_source import HeldOut, RunSource
from painting_jax.metrics import media_similarity
from painting_jax.metrics.perceptual import CosineDistance, unit
from painting_jax.report import tables
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from tests.evaluation import tiny_networks
from tests.evaluation.recordings import PIXELS, process

MEDIA = ("oil", "ink")


def _held_out() -> HeldOut:
    """Two pictures in two media, in a batch of three and one that is filled up."""
    frames = np.stack([process(seed, frames=4) for seed in range(4)])
    arrays = {
        "frames_BTHWC": frames,
        "progress_BT": np.tile(np.linspace(0, 1, 4, dtype=np.float32), (4, 1)),
        "reference_BHWC": frames[:, -1],
        "segments_BHW": np.arange(4)[:, None, None] * np.ones((1, 64, 64), np.uint8),
        "medium_BM": np.eye(2, dtype=np.float32)[[0, 1, 0, 1]],
        "text_BL": np.arange(4)[:, None],
    }
    return HeldOut(
        lambda number: {key: array[number] for key, array in arrays.items()},
        batch_size=3,
        names=list("abcd"),
        media=[MEDIA[i % 2] for i in range(4)],
        pictures=["cat", "cat", "dog", "dog"],
    )


def _repeat(batch):
    return batch["frames_BTHWC"]


def _evaluate(held_out, generate, losses=None, *, folder, networks=PIXELS):
    source = RunSource(
        held_out, generate, label="demo", videos=folder / "videos", settings={}, losses=losses
    )
    cache = Cache(folder, source.depends_on)
    return evaluate(source, networks, cache, seed=0, watch=lambda items, _: items)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """What is found of a model that gives the recordings back."""
    return _evaluate(_held_out(), _repeat, folder=tmp_path_factory.mktemp("repeated"))


def test_a_model_that_repeats_the_recording_is_perfect_and_baselines_are_not(repeated):
    rows = {(row.name, row.method): row for row in repeated.rows}
    methods = (GENERATED, CROSS_FADE, BLUR_TO_SHARP)
    assert set(rows) == {
        (name, method) for name in "abcd" for method in (*methods, OTHER_PICTURE, RECORDED)
    }
    for name in "abcd":
        assert rows[name, GENERATED].numbers["pdp"] == 0
        assert rows[name, CROSS_FADE].numbers["pdp"] > 0
        assert rows[name, CROSS_FADE].numbers["final_distance"] == 0
        assert rows[name, OTHER_PICTURE].numbers["final_distance"] > 0
    assert {row.medium for row in repeated.rows} == set(MEDIA)
    assert "4 held-out processes of 2 pictures" in repeated.subtitle
    assert any("copies what it is given" in note for note in repeated.notes)
    assert not any("stroke painter" in text for text in (repeated.subtitle, *repeated.notes))


def test_processes_of_the_projects_own_painter_are_said_to_be(tmp_path):
    source = RunSource(
        _held_out(), _repeat, label="demo", videos=tmp_path, settings={}, synthetic=True
    )
    result = Result("T", "", {"distance": "D"}, [], [], {"seed": 0})
    found = source.complete(result, PIXELS, Cache(tmp_path, {}), lambda items, _: items)
    assert "stroke painter, a program" in found.subtitle
    assert any("not how people paint" in note for note in found.notes)


def test_errors_of_the_final_picture_are_listed_by_tone(tmp_path):
    names = ["cat/oil/0", "cat/ink/bright", "dog/oil/0", "dog/ink/white_background"]
    held_out = dataclasses.replace(_held_out(), names=names)

    def generate(batch):
        # The second process of each batch of the cat, the bright one, ends too dark.
        frames_BTHWC = batch["frames_BTHWC"].copy()
        bright_B = batch["text_BL"][:, 0] == 1
        frames_BTHWC[bright_B, -1] = frames_BTHWC[bright_B, -1] // 2
        return frames_BTHWC

    source = RunSource(
        held_out, generate, label="demo", videos=tmp_path, settings={}, synthetic=True
    )
    found = evaluate(source, PIXELS, Cache(tmp_path, {}), seed=0, watch=lambda items, _: items)
    assert list(found.tones) == ["the photo's own", "bright", "white background"]
    assert [each.n for each in found.tones.values()] == [2, 1, 1]
    means = {tone: each.mean for tone, each in found.tones.items()}
    halved = held_out.row(1)["frames_BTHWC"][-1]
    assert means["bright"] == pytest.approx((halved - halved // 2).mean(), abs=0.01)
    assert means["the photo's own"] == means["white background"] == 0
    [row] = [row for row in tables.tones(found).rows if row[0].text == "bright"]
    assert row[1].text == "1"


def test_the_other_picture_is_painted_in_the_same_medium(repeated):
    strips = {strip.name: strip for strip in repeated.strips}
    # "a" is the cat in oil, "c" the dog in oil.
    assert strips["a"].rows[OTHER_PICTURE] == strips["c"].rows[RECORDED]


def test_videos_are_kept_and_say_that_they_are_generated(repeated):
    assert repeated.videos.name == "videos"
    assert len(list(repeated.videos.iterdir())) == 4
    for strip in repeated.strips:
        path = repeated.videos.parent / strip.video
        frames_THWC, _ = video.read(path)
        assert frames_THWC.shape == (4, 256, 256, 3)
        assert "not a recording" in video.read_metadata(path)["description"]


def test_conditions_are_measured_over_all_batches_and_kept(tmp_path):
    calls = []

    def losses(batch, *, seed):
        calls.append(seed)
        return np.mean(batch["reference_BHWC"] != batch["frames_BTHWC"][:, -1], axis=(1, 2, 3))

    found = _evaluate(_held_out(), _repeat, losses, folder=tmp_path).conditions
    assert found["reference"].rise.mean > 0
    # Four processes of two photos, from which nothing is claimed.
    assert found["reference"].rise[3:] == (4, 2)
    assert found["reference"].verdict == "too few pictures"
    assert found["text"].rise.mean == 0
    before = len(calls)
    assert _evaluate(_held_out(), _repeat, losses, folder=tmp_path).conditions == found
    assert len(calls) == before


def test_an_interrupted_evaluation_generates_only_what_is_missing(tmp_path):
    generated = []

    def generate(batch):
        if generated:
            raise KeyboardInterrupt
        generated.append(batch)
        return batch["frames_BTHWC"]

    with pytest.raises(KeyboardInterrupt):
        _evaluate(_held_out(), generate, folder=tmp_path)
    resumed = []

    def go_on(batch):
        resumed.append(batch["text_BL"].ravel().tolist())
        return batch["frames_BTHWC"]

    found = _evaluate(_held_out(), go_on, folder=tmp_path)
    assert resumed == [[3, 3, 3]]
    assert [row.name for row in found.rows if row.method == RECORDED] == list("abcd")


def test_a_video_that_is_gone_is_generated_again(tmp_path):
    _evaluate(_held_out(), _repeat, folder=tmp_path)
    next((tmp_path / "videos").glob("0003-*")).unlink()
    batches = []
    _evaluate(_held_out(), lambda batch: batches.append(1) or _repeat(batch), folder=tmp_path)
    assert batches == [1]


def test_shown_processes_go_round_the_media(repeated):
    media = {strip.name: strip.medium for strip in repeated.strips}
    assert media == {"a": "oil", "b": "ink", "c": "oil", "d": "ink"}


def test_nothing_held_out_is_an_error(tmp_path):
    nothing = dataclasses.replace(_held_out(), names=(), media=(), pictures=())
    with pytest.raises(UserError, match="held out"):
        _evaluate(nothing, _repeat, folder=tmp_path)


@pytest.fixture(scope="module")
def named_networks(tmp_path_factory):
    """A tiny CLIP and a tiny DINOv2 beside the quick distance."""
    root = tmp_path_factory.mktemp("weights")
    clip, dino = tiny_networks.write_clip(root / "clip"), tiny_networks.write_dino(root / "dino")
    chosen = {
        k: tiny_networks.open_backbone(f"{k}={path}")
        for k, path in (("clip", clip), ("dino", dino))
    }
    similarities = {kind: CosineDistance(each.features) for kind, each in chosen.items()}
    return dataclasses.replace(PIXELS, similarities=similarities, backbones=chosen)


def test_media_are_compared_by_clip_and_dino_where_they_are_named(named_networks, tmp_path):
    held = _held_out()
    found = _evaluate(held, _repeat, folder=tmp_path, networks=named_networks).across
    generated, recorded = found
    assert (generated.method, recorded.method) == (GENERATED, RECORDED)
    # It gives the recordings back, so it is as they are.
    assert generated.structure == recorded.structure
    assert generated.named == recorded.named
    assert recorded.named.n == 4
    clip, dino = (named_networks.backbones[kind] for kind in ("clip", "dino"))
    last_NHWC = np.stack([held.row(number)["frames_BTHWC"][-1] for number in range(4)])
    words = zero_shot_classifier(clip)
    scores_NM = np.asarray(unit(clip(last_NHWC))) @ np.stack([words[m] for m in MEDIA]).T
    assert recorded.named.mean == np.mean(scores_NM.argmax(1) == [0, 1, 0, 1])
    like_NLL = media_similarity.self_similarity(
        media_similarity.patches(dino.maps(last_NHWC)[0], side=8)
    )
    apart_P = media_similarity.structure_distance(like_NLL[::2], like_NLL[1::2])
    assert recorded.structure.mean == pytest.approx(float(apart_P.mean()), abs=1e-3)
    assert recorded.structure.mean > 0


class _Recorded:
    """Five processes as a split holds them."""

    def __len__(self):
        return 5

    def record(self, row: int) -> Process:
        frames = tuple(pictures.encode(frame, "png") for frame in process(row, frames=4))
        progress = np.linspace(0, 1, 4, dtype=np.float32)
        return Process(
            f"id{row}", frames, progress, "oil", "a cat", frames[-1], source=f"photo{row // 2}"
        )


@pytest.mark.parametrize(("at_most", "counts"), [(3, [2, 1]), (5, [2, 2, 1]), (99, [2, 2, 1])])
def test_a_split_is_loaded_in_batches_of_one_size(at_most, counts):
    conditioner = TokenConditioner(Tokenizer.train(["a cat"]), 4)
    examples = pipeline.Examples(4, 64, 64, conditioner, MEDIA)
    found = HeldOut.load(_Recorded(), examples, batch_size=2, at_most=at_most)
    assert [len(span) for span in found.spans()] == counts
    assert all(len(found.batch(span)["frames_BTHWC"]) == 2 for span in found.spans())
    assert found.names == tuple(f"id{row}" for row in range(sum(counts)))
    assert found.pictures[:2] == ("photo0", "photo0")
    first = found.batch(found.spans()[0])["frames_BTHWC"]
    np.testing.assert_array_equal(first[1], process(1, frames=4))
    np.testing.assert_array_equal(found.video(1).frames_THWC, first[1])
