"""Scores of words are held against the stroke painter, which follows each of them."""

import dataclasses

import numpy as np
import pytest

from painting_jax import media
from painting_jax.data import painter, pipeline
from painting_jax.data.painter.manner import DIRECTIONS
from painting_jax.evaluation import word_effects
from painting_jax.evaluation.cache import Cache
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from tests.synthetic import scene

_OIL = painter.Manner.default("oil")


def _paint(manner: painter.Manner, seed: int = 0, medium: str = "oil") -> np.ndarray:
    return painter.paint(scene(seed, 32, 32), medium, frames=9, seed=0, manner=manner).frames_THWC


@pytest.mark.parametrize("direction", word_effects.OPPOSITES)
def test_a_painting_follows_its_own_direction_within_regions_more_than_any_other(direction):
    painted = painter.paint(
        scene(0, 32, 32),
        "oil",
        frames=17,
        seed=0,
        manner=dataclasses.replace(_OIL, direction=direction),
    )
    scores = {
        each: word_effects.order_correlation(painted.frames_THWC, each, painted.segments_HW)
        for each in word_effects.OPPOSITES
    }
    assert max(scores, key=scores.get) == direction
    assert scores[direction] > 0.2


def test_order_of_a_canvas_filled_from_the_left_is_known():
    frames = np.full((9, 8, 8, 3), 255, np.uint8)
    for t in range(9):
        frames[t, :, :t] = 0
    assert word_effects.order_correlation(frames, "from the left") == pytest.approx(1, abs=1e-3)
    assert word_effects.order_correlation(frames, "from the right") == pytest.approx(-1, abs=1e-3)
    assert word_effects.order_correlation(frames[:1].repeat(3, 0), "from the left") == 0


def test_fine_strokes_are_finer_and_grounds_are_near_themselves():
    broad, fine = (_paint(dataclasses.replace(_OIL, scale=scale)) for scale in ("broad", "fine"))
    assert word_effects.fineness(fine) > word_effects.fineness(broad)
    grounds = media.MEDIA["oil"].grounds
    for name, colour in grounds.items():
        frames = _paint(dataclasses.replace(_OIL, ground=name))
        nearness = {
            each: word_effects.ground_nearness(frames, colour_C=c) for each, c in grounds.items()
        }
        assert max(nearness, key=nearness.get) == name
        assert word_effects.ground_nearness(frames, colour_C=colour) > -8


@pytest.mark.parametrize("follows", [True, False])
def test_words_are_followed_by_the_painter_and_not_by_one_that_is_deaf(
    painted_dir, tmp_path, follows
):
    source = pipeline.DataSource(painted_dir, "train")
    names = tuple(media.MEDIA)
    conditioner = TokenConditioner(
        Tokenizer.train(source.captions(), first=painter.every_word()), 32
    )
    examples = pipeline.Examples(5, 32, 32, conditioner, names)

    def generate(batch: pipeline.Batch) -> np.ndarray:
        return np.stack(
            [
                painter.paint(
                    reference_HWC,
                    names[int(medium_M.argmax())],
                    frames=9,
                    seed=0,
                    manner=_asked(conditioner, ids_L) if follows else None,
                ).frames_THWC
                for reference_HWC, medium_M, ids_L in zip(
                    batch["reference_BHWC"], batch["medium_BM"], batch["text_BL"], strict=True
                )
            ]
        )

    settings = {"batch_size": 8, "at_most": 2, "seed": 0, "watch": lambda items, _: items}
    cache = Cache(tmp_path / "cache", {})
    effects = word_effects.word_effects(
        source, examples, generate=generate, cache=cache, **settings
    )
    words = {effect.word for effect in effects}
    assert {"from the left", "broad strokes", "on a grey ground"} <= words
    for effect in effects:
        assert effect.change.n == 2
        assert (effect.change.mean > 0) if follows else (effect.change.mean == 0), effect
    kept = word_effects.word_effects(source, examples, generate=None, cache=cache, **settings)
    assert [effect.change for effect in kept] == [effect.change for effect in effects]


def _asked(conditioner: TokenConditioner, ids_L: np.ndarray) -> painter.Manner:
    """The manner that a text describes."""
    for text in _every_manner():
        described = conditioner.encode(f"x, {painter.describe(text)}", {})["text_BL"]
        count = int((described > 0).sum()) - 2
        asked = ids_L[ids_L > 0][-count:]
        if np.array_equal(asked, described[described > 0][-count:]):
            return text
    raise AssertionError(ids_L)


def _every_manner() -> list[painter.Manner]:
    grounds = {ground for medium in media.MEDIA.values() for ground in medium.grounds}
    return [
        painter.Manner(ground, scale, direction)
        for ground in sorted(grounds)
        for scale in ("broad", "fine")
        for direction in DIRECTIONS
    ]
