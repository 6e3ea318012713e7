"""Frames against recorded ones at the same progress."""

import numpy as np

from painting_jax.evaluation import sets
from painting_jax.evaluation.cache import Outcome
from painting_jax.evaluation.measures import (
    GENERATED,
    OTHER_PICTURE,
    RECORDED,
    MeasuredProcess,
)
from painting_jax.metrics import fid, kid


def _filled(features_ND, progress_N, *, bins=3, batch=16, prefix="") -> sets.FrameSet:
    frames = sets.empty(bins, features_ND.shape[1], capacity=64)
    priority_N = kid.priorities([f"{prefix}{i}" for i in range(len(features_ND))])
    for start in range(0, len(features_ND), batch):
        rows = np.arange(start, start + batch)
        mask_N = rows < len(features_ND)
        rows = np.minimum(rows, len(features_ND) - 1)
        frames = sets.add(
            frames, features_ND[rows], progress_N[rows].astype(np.float32), priority_N[rows], mask_N
        )
    return frames


def test_every_bin_equals_its_own_frames_compared():
    rng = np.random.default_rng(0)
    sides = [rng.normal(mean, 1, (90, 6)).astype(np.float32) for mean in (0, 0.5)]
    progress_N = np.linspace(0, 1, 90)
    # Pictures of other names: all are compared.
    filled = (_filled(x, progress_N, prefix=p) for x, p in zip(sides, "ab", strict=True))
    fid_Q, kid_Q, count_Q = sets.distances(*filled)
    for q, rows in enumerate(
        (progress_N < 1 / 3, (progress_N >= 1 / 3) & (progress_N < 2 / 3), progress_N >= 2 / 3)
    ):
        moments = [fid.add(fid.empty(6), x[rows], np.ones(rows.sum(), bool)) for x in sides]
        expected = fid.distance(*moments)
        np.testing.assert_allclose(fid_Q[q], expected.distance, rtol=1e-4)
        everyone = np.ones(rows.sum(), bool)
        expected_kid = kid.discrepancy(sides[0][rows], sides[1][rows], everyone, everyone)
        np.testing.assert_allclose(kid_Q[q], expected_kid, rtol=1e-4)
        assert count_Q[q] == rows.sum()


def test_bins_with_too_few_frames_have_no_number():
    features_ND = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    late = _filled(features_ND, np.full(20, 0.9))
    fid_Q, kid_Q, count_Q = sets.distances(late, late)
    np.testing.assert_array_equal(np.isnan(fid_Q), [True, True, False])
    np.testing.assert_array_equal(np.isnan(kid_Q), [True, True, False])
    np.testing.assert_array_equal(count_Q, [0, 0, 20])


def _outcome(method: str, name: str, frame_TC: np.ndarray) -> Outcome:
    curve_K = np.zeros(33)
    row = MeasuredProcess(name, method, "oil", {}, curve_K, curve_K)
    progress_T = np.linspace(0, 1, len(frame_TC), dtype=np.float32)
    features = {("frame", method): frame_TC, ("progress", method): progress_T}
    return Outcome([row], None, features=features)


def _processes(count: int, frames: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [np.abs(rng.normal(1, 0.5, (frames, 4))).astype(np.float32) for _ in range(count)]


def test_a_perfect_copy_has_no_kid_and_no_fid():
    """Its KID was far below 0."""
    found = sets.Sets()
    for number, frame_TC in enumerate(_processes(12)):
        found.add(_outcome(RECORDED, f"p{number}", frame_TC))
        found.add(_outcome(GENERATED, f"p{number}", frame_TC))
        # The same with a frame left out: its last frame is still that of the same process.
        found.add(_outcome("shorter", f"p{number}", np.delete(frame_TC, 2, axis=0)))
    copies = found.distances()
    assert copies[GENERATED].n == 12
    np.testing.assert_allclose(copies[GENERATED].fid, 0, atol=1e-5)
    for kid_1 in (copies[GENERATED].kid, *copies[GENERATED].kid_Q, copies["shorter"].kid):
        np.testing.assert_allclose(kid_1, 0, atol=1e-4)


def test_few_pictures_have_no_kid_and_other_pictures_no_distance():
    found = sets.Sets()
    processes = _processes(sets.MIN_PICTURES - 1)
    for number, frame_TC in enumerate(processes):
        found.add(_outcome(RECORDED, f"p{number}", frame_TC))
        found.add(_outcome(GENERATED, f"p{number}", 2 * frame_TC))
        found.add(_outcome(OTHER_PICTURE, f"p{number}", processes[number - 1]))
    (method,) = found.distances().items()
    assert method[0] == GENERATED
    assert np.isnan(method[1].kid)
    assert method[1].fid > 0
    # Bins of progress have enough frames where they hold several of a process.
    np.testing.assert_array_equal(np.isnan(method[1].kid_Q), method[1].count_Q < 10)
