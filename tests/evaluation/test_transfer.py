"""Grey and line versions of a photo: is what was painted nearer to the painter's picture?"""

import numpy as np
import pytest

from painting_jax.data import pipeline
from painting_jax.data.tokenizer import Tokenizer
from painting_jax.data.words import TokenIds
from painting_jax.evaluation import transfer
from painting_jax.evaluation.store import Store
from tests.evaluation.recordings import Pixels


@pytest.fixture
def transfers(painted_dir, tmp_path):
    source = pipeline.Source(painted_dir, "test", "")
    words = TokenIds(Tokenizer.train(source.captions(), size=64), 8)
    examples = pipeline.Examples(3, 32, 32, words)

    def found(generate) -> dict[tuple[str, str], transfer.Transfer]:
        rows, gained = transfer.transfers(
            Pixels(),
            source,
            examples,
            clip=None,
            generate=generate,
            batch_size=2,
            at_most=8,
            seed=0,
            store=Store(tmp_path, {}),
            watch=lambda items, _: items,
        )
        assert gained == {}
        return {(row.look, row.measure): row for row in rows if row.media == "oil"}

    return found


def test_a_model_that_gives_back_its_input_comes_no_nearer(transfers):
    found = transfers(lambda batch: batch["reference_BHWC"][:, None])
    assert {look for look, _ in found} == set(transfer.LOOKS)
    assert {measure for _, measure in found} == {Pixels.label, transfer.COLOUR}
    for row in found.values():
        assert row.nearer.mean == 0
        assert row.given == row.painted


def test_the_painters_picture_is_at_no_distance_and_looks_are(transfers):
    found = transfers(lambda batch: batch["frames_BTHWC"])
    for (look, _), row in found.items():
        assert row.painted.mean == 0
        assert row.nearer == row.given
        if look != "photo":
            assert row.nearer.low > 0


def test_what_was_found_is_kept(transfers):
    found = transfers(lambda batch: batch["frames_BTHWC"])

    def generate(batch):
        raise AssertionError("painted anew")

    assert transfers(generate) == found
    assert np.isfinite([row.nearer.mean for row in found.values()]).all()
