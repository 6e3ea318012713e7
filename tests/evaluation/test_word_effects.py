"""Scores of words are held against the stroke painter, which follows each of them."""

import dataclasses
import functools

import numpy as np
import pytest

from painting_jax import media
from painting_jax.data import painter, pipeline
from painting_jax.data.painter.manner import DIRECTIONS, ORDERS
from painting_jax.evaluation import word_effects
from painting_jax.evaluation.cache import Cache
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from tests.synthetic import scene

_OIL = painter.Manner.default("oil")


def _paint(manner: painter.Manner, seed: int = 0, side: int = 32) -> np.ndarray:
    picture_HWC = scene(seed, side, side)
    return painter.paint(picture_HWC, "oil", frames=9, seed=0, manner=manner).frames_THWC


@functools.cache
def _painted(medium: str, direction: str) -> painter.Painting:
    manner = dataclasses.replace(painter.Manner.default(medium), direction=direction)
    return painter.paint(scene(0, 64, 64), medium, frames=9, seed=0, manner=manner)


@pytest.mark.parametrize("medium", ["oil", "watercolor", "pencil"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_painters_far_end_is_finished_later_than_with_any_other_direction(direction, medium):
    """As in the demo, at 64 pixels in 9 frames."""
    delays = {}
    for asked in DIRECTIONS:
        painted = _painted(medium, asked)
        delays[asked] = word_effects.delay(
            painted.frames_THWC, painted.segments_HW, direction=direction
        )
    followed = delays.pop(direction)
    assert followed > max(delays.values()) + 1
    assert set(word_effects.OPPOSITES) == set(DIRECTIONS)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_picture_shows_cancels_between_opposite_directions(seed):
    left, right = (
        painter.paint(
            scene(seed, 64, 64),
            "oil",
            frames=9,
            seed=0,
            manner=dataclasses.replace(_OIL, direction=direction),
        )
        for direction in ("from the left", "from the right")
    )
    changes = [
        word_effects.delay(asked.frames_THWC, asked.segments_HW, direction=direction)
        - word_effects.delay(other.frames_THWC, other.segments_HW, direction=direction)
        for asked, other, direction in (
            (left, right, "from the left"),
            (right, left, "from the right"),
        )
    ]
    assert changes[0] == pytest.approx(changes[1], abs=1e-3)
    assert changes[0] > 8


def test_delay_of_a_canvas_filled_from_the_left_is_known():
    frames = np.full((9, 8, 8, 3), 255, np.uint8)
    for t in range(9):
        frames[t, :, :t] = 0
    # Columns are 1/8 apart, and each is painted 1/9 of the frames later.
    assert word_effects.delay(frames, direction="from the left") == pytest.approx(
        100 * 8 / 9, rel=1e-4
    )
    assert word_effects.delay(frames, direction="from the right") == pytest.approx(
        -100 * 8 / 9, rel=1e-4
    )
    assert word_effects.delay(frames, direction="from the top down") == pytest.approx(0, abs=1e-3)
    assert word_effects.delay(frames[:1].repeat(3, 0), direction="from the left") == 0
    # Regions that are painted one after the other have no direction.
    columns = np.tile(np.arange(8, dtype=np.uint8), (8, 1))
    assert word_effects.delay(frames, columns, direction="from the left") == 0


def test_fine_strokes_are_finer_and_grounds_are_near_themselves():
    broad, fine = (
        _paint(dataclasses.replace(_OIL, scale=scale, order="alla prima"), side=64)
        for scale in ("broad", "fine")
    )
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
        source, examples, generate=generate, cache=cache, painter_too=follows, **settings
    )
    words = {effect.word for effect in effects}
    assert {*DIRECTIONS, "broad strokes", "on a grey ground"} <= words
    for effect in effects:
        assert effect.change.n == 2
        assert (effect.change.mean > 0) if follows else (effect.change.mean == 0), effect
        # The photo and its painting are alike, and so are the changes of both.
        assert effect.painter.n == (2 if follows else 0)
        assert not follows or effect.painter.mean > 0
    kept = word_effects.word_effects(source, examples, generate=None, cache=cache, **settings)
    for field in ("change", "painter"):
        assert repr([getattr(effect, field) for effect in kept]) == repr(
            [getattr(effect, field) for effect in effects]
        )


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
        painter.Manner(ground, scale, direction, order)
        for ground in sorted(grounds)
        for scale in ("broad", "fine")
        for direction in DIRECTIONS
        for order in ORDERS
    ]
