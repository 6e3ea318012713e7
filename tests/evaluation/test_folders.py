"""Any method's videos beside recorded ones."""

import functools

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation import folders, yardsticks
from painting_jax.evaluation.measures import GENERATED, RECORDED
from tests.evaluation.recordings import Pixels, process, write_movie, write_pictures

evaluate = functools.partial(
    folders.evaluate,
    Pixels(),
    unpaired=False,
    with_yardsticks=False,
    frames=9,
    size=64,
    seed=0,
    watch=lambda items, _: items,
)


@pytest.fixture
def root(tmp_path):
    """A pair, a damaged pair, and generated videos that cannot be used."""
    for seed, name in enumerate(("cat", "dog")):
        write_pictures(tmp_path / "recorded" / name, process(seed, frames=4))
    write_movie(tmp_path / "generated" / "cat.mp4", process(0, frames=5))
    (tmp_path / "generated" / "dog.mp4").write_text("this is no video")
    (tmp_path / "generated" / "empty.mp4").write_bytes(b"")
    write_movie(tmp_path / "generated" / "still.mp4", process(0, frames=1))
    return tmp_path


def test_pairs_are_measured_and_the_rest_is_named(root):
    found = evaluate(generated=root / "generated", recorded=root / "recorded", with_yardsticks=True)
    methods = [row.method for row in found.rows]
    assert methods == [GENERATED, yardsticks.CROSS_FADE, yardsticks.BLUR_TO_SHARP, RECORDED]
    assert np.isfinite(found.rows[0].numbers["pdp"])
    assert len(found.skipped) == 3
    for name in ("dog.mp4", "empty.mp4", "still.mp4"):
        assert sum(name in line for line in found.skipped) == 1
    assert list(found.strips[0].rows)[:2] == [RECORDED, GENERATED]


def test_unpaired_videos_are_measured_against_the_band(root):
    found = evaluate(generated=root / "generated", recorded=root / "recorded", unpaired=True)
    assert [row.method for row in found.rows] == [GENERATED, RECORDED, RECORDED]
    numbers = found.rows[0].numbers
    assert np.isnan(numbers["pdp"])
    profiles_NK = np.stack([row.own_profile_K for row in found.rows])
    np.testing.assert_allclose(found.band.mean_K, profiles_NK[1:].mean(0), rtol=1e-6)
    area = np.abs(profiles_NK[0] - profiles_NK[1:].mean(0)).mean()
    assert numbers["to_band"] == pytest.approx(area, rel=1e-5)
    assert 0 <= numbers["in_band"] <= 1


def test_a_method_is_measured_without_any_recordings(root):
    found = evaluate(generated=root / "recorded", recorded=None, unpaired=True)
    assert found.band is None
    assert len(found.rows) == 2
    assert np.isfinite(found.rows[0].numbers["monotonicity"])


def test_a_copy_of_the_recorded_set_is_perfect(root):
    found = evaluate(generated=root / "recorded", recorded=root / "recorded")
    for row in found.rows:
        if row.method == GENERATED:
            assert row.numbers["pdp"] == row.numbers["between"] == 0


def test_names_that_do_not_pair_are_shown(root):
    write_movie(root / "others" / "hat.mp4", process(5, frames=3))
    with pytest.raises(UserError, match="hat, recorded are cat, dog"):
        evaluate(generated=root / "others", recorded=root / "recorded")


def test_nothing_usable_is_an_error(root):
    (root / "generated" / "cat.mp4").write_text("this is no video")
    with pytest.raises(UserError, match=r"none of the generated videos .*cat\.mp4"):
        evaluate(generated=root / "generated", recorded=None, unpaired=True)


def test_pairing_needs_recordings(root):
    with pytest.raises(UserError, match="--recorded=DIR"):
        evaluate(generated=root / "generated", recorded=None)
