"""A model's held-out processes beside the recorded ones and the yardsticks."""

import numpy as np
import pytest

from painting_jax.data import pictures, pipeline
from painting_jax.data.process import Process
from painting_jax.data.tokenizer import Tokenizer
from painting_jax.data.words import TokenIds
from painting_jax.errors import UserError
from painting_jax.evaluation import held_out, yardsticks
from painting_jax.evaluation.measures import GENERATED, RECORDED
from tests.evaluation.recordings import Pixels, process

MEDIA = ("oil", "ink")


def _batches() -> list[held_out.HeldOut]:
    """Two pictures in two media, in a batch of three and one that is filled up."""
    frames = np.stack([process(seed, frames=4) for seed in range(4)])
    rows = {
        "frames_BTHWC": frames,
        "progress_BT": np.tile(np.linspace(0, 1, 4, dtype=np.float32), (4, 1)),
        "reference_BHWC": frames[:, -1],
        "segments_BHW": np.arange(4)[:, None, None] * np.ones((1, 64, 64), np.uint8),
        "medium_BM": np.eye(2, dtype=np.float32)[[0, 1, 0, 1]],
        "text_BL": np.arange(4)[:, None],
    }
    names, media = list("abcd"), [MEDIA[i % 2] for i in range(4)]
    pictures = ["cat", "cat", "dog", "dog"]
    made = []
    for indices, count in (([0, 1, 2], 3), ([3, 3, 3], 1)):
        batch = {key: array[indices] for key, array in rows.items()}
        chosen = indices[:count]
        made.append(
            held_out.HeldOut(
                batch,
                [names[i] for i in chosen],
                [media[i] for i in chosen],
                [pictures[i] for i in chosen],
            )
        )
    return made


def _evaluate(batches, generate, losses=None):
    return held_out.evaluate(
        Pixels(),
        batches,
        generate=generate,
        losses=losses,
        model="demo",
        settings={"seed": 0},
        watch=lambda items, _: items,
    )


def test_a_model_that_repeats_the_recording_is_perfect_and_yardsticks_are_not():
    found = _evaluate(_batches(), lambda batch: batch["frames_BTHWC"])
    rows = {(row.name, row.method): row for row in found.rows}
    methods = (GENERATED, yardsticks.CROSS_FADE, yardsticks.BLUR_TO_SHARP)
    assert set(rows) == {
        (name, method)
        for name in "abcd"
        for method in (*methods, yardsticks.OTHER_PICTURE, RECORDED)
    }
    for name in "abcd":
        assert rows[name, GENERATED].numbers["pdp"] == 0
        assert rows[name, yardsticks.CROSS_FADE].numbers["pdp"] > 0
        assert rows[name, yardsticks.CROSS_FADE].numbers["final_distance"] == 0
        assert rows[name, yardsticks.OTHER_PICTURE].numbers["final_distance"] > 0
    assert {row.medium for row in found.rows} == set(MEDIA)
    assert "4 held-out processes of 2 pictures" in found.subtitle


def test_the_other_picture_is_painted_in_the_same_medium():
    batches = _batches()
    found = _evaluate(batches, lambda batch: batch["frames_BTHWC"])
    strips = {strip.name: strip for strip in found.strips}
    # "a" is the cat in oil, "c" the dog in oil.
    np.testing.assert_array_equal(
        strips["a"].rows[yardsticks.OTHER_PICTURE], strips["c"].rows[RECORDED]
    )


def test_conditions_are_measured_over_all_batches():
    def losses(batch, *, seed):
        del seed
        return np.mean(batch["reference_BHWC"] != batch["frames_BTHWC"][:, -1], axis=(1, 2, 3))

    found = _evaluate(_batches(), lambda batch: batch["frames_BTHWC"], losses).conditions
    assert found["reference"].rise.low > 0
    assert found["reference"].rise.n == 4
    assert found["text"].rise.mean == 0


def test_shown_processes_go_round_the_media():
    found = _evaluate(_batches(), lambda batch: batch["frames_BTHWC"])
    assert [strip.medium for strip in found.strips] == ["oil", "ink", "oil", "ink"]


def test_nothing_held_out_is_an_error():
    with pytest.raises(UserError, match="held out"):
        _evaluate([], lambda batch: batch["frames_BTHWC"])


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
    examples = pipeline.Examples(4, 64, 64, TokenIds(Tokenizer.train(["a cat"]), 4))
    found = held_out.load(_Recorded(), examples, batch_size=2, at_most=at_most)
    assert [len(batch) for batch in found] == counts
    assert all(len(batch.batch["frames_BTHWC"]) == 2 for batch in found)
    names = [name for batch in found for name in batch.names]
    assert names == [f"id{row}" for row in range(sum(counts))]
    assert found[0].pictures == ["photo0", "photo0"]
    np.testing.assert_array_equal(found[0].batch["frames_BTHWC"][1], process(1, frames=4))
