"""Grey and line versions of a photo: is what was painted nearer to the painter's picture?"""

import numpy as np
import pytest

from painting_jax.data import pipeline
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.look_transfer import COLOUR, INPUTS, look_transfers
from painting_jax.evaluation.measures import GENERATED, RECORDED
from painting_jax.evaluation.result import Transfer
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from tests.evaluation.recordings import Pixels


@pytest.fixture
def found_with(painted_dir, tmp_path):
    """What is found of a model's paintings, those in oil alone, and what CLIP says they gained."""
    source = pipeline.DataSource(painted_dir, "test", "")
    conditioner = TokenConditioner(Tokenizer.train(source.captions(), size=64), 8)
    examples = pipeline.Examples(3, 32, 32, conditioner, ("ink", "pencil", "oil"))

    def found(generate, clip) -> tuple[dict[tuple[str, str], Transfer], dict]:
        rows, gained = look_transfers(
            Pixels(),
            source,
            examples,
            clip=clip,
            generate=generate,
            batch_size=2,
            at_most=8,
            seed=0,
            cache=Cache(tmp_path, {}),
            watch=lambda items, _: items,
        )
        return {(row.look, row.measure): row for row in rows if row.media == "oil"}, gained

    return found


@pytest.fixture
def transfers(found_with):
    """The same without CLIP."""

    def found(generate) -> dict[tuple[str, str], Transfer]:
        rows, gained = found_with(generate, None)
        assert not gained
        return rows

    return found


def test_a_model_that_gives_back_its_input_comes_no_nearer(transfers):
    found = transfers(lambda batch: batch["reference_BHWC"][:, None])
    assert {look for look, _ in found} == set(INPUTS)
    assert {measure for _, measure in found} == {Pixels.label, COLOUR}
    for row in found.values():
        assert row.nearer.mean == 0
        np.testing.assert_equal(row.given, row.painted)


def test_the_painters_picture_is_at_no_distance_and_looks_are(transfers):
    found = transfers(lambda batch: batch["frames_BTHWC"])
    for (look, _), row in found.items():
        assert row.painted.mean == 0
        np.testing.assert_equal(row.nearer, row.given)
        if look != "photo":
            assert row.nearer.mean > 0


def test_looks_are_marked_and_photos_are_not(transfers):
    told = []

    def generate(batch):
        told.extend(batch["other_look_B"].tolist())
        return batch["frames_BTHWC"]

    transfers(generate)
    third = len(told) // len(INPUTS)
    assert told == [False] * third + [True] * 2 * third


def test_what_was_found_is_kept(transfers):
    found = transfers(lambda batch: batch["frames_BTHWC"])

    def generate(batch):
        raise AssertionError("painted anew")

    assert repr(transfers(generate)) == repr(found)
    assert np.isfinite([row.nearer.mean for row in found.values()]).all()


class _Clip:
    """Photos lie along one axis; oil, in words, along another; a picture's colour says where."""

    def __call__(self, pictures_NHWC):
        red_N, blue_N = (pictures_NHWC[..., channel].mean((1, 2)) for channel in (0, 2))
        return np.stack([red_N, blue_N, 255 - red_N], axis=1).astype(np.float32)

    def describe(self, texts):
        axis = [0 if "photo" in text else 1 for text in texts]
        return np.eye(3, dtype=np.float32)[axis]


@pytest.mark.parametrize(("channel", "sign"), [(2, 1), (0, -1)])
def test_paintings_that_turn_from_photos_to_the_medium_gain_it(channel, sign, found_with):
    def generate(batch):
        made = np.zeros_like(batch["frames_BTHWC"])
        made[..., channel] = 255
        return made

    rows, gained = found_with(generate, _Clip())
    assert set(gained) == {GENERATED, RECORDED}
    assert 0.3 < sign * gained[GENERATED].mean <= 1
    # The same again, from what was kept.
    assert repr(found_with(None, _Clip())) == repr((rows, gained))
