"""Painters work somewhere and their work stays; noise and shuffled frames do neither."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painting_jax.metrics import temporal


def _all(frames_BTHWC) -> np.ndarray:
    return np.ones(frames_BTHWC.shape[:2], bool)


def _noisy(frames, sigma: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, frames.shape)
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)


def _plain(frames_THWC: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Change, share and flicker in loops over frames."""
    frames = frames_THWC.astype(np.float64) / 255
    apart = np.abs(np.diff(frames, axis=0))
    held, moved, undone, path = frames[0], np.zeros_like(frames[0]), 0.0, 0.0
    for frame in frames[1:]:
        move = np.where(np.abs(frame - held) > temporal.STILL, frame - held, 0)
        back = np.sign(move) * np.sign(moved) < 0
        undone += np.minimum(np.abs(move), np.abs(moved))[back].sum()
        path += np.abs(move).sum()
        held = held + move
        moved = move if move.any() else moved
    share = (apart.max(-1) > temporal.CHANGED).mean((1, 2))
    return apart.mean((1, 2, 3)), share, undone / path


def test_movement_equals_a_plain_computation(painted_BTHWC):
    frames_BTHWC = _noisy(painted_BTHWC[:4], 6)
    found = temporal.movement(frames_BTHWC, _all(frames_BTHWC))
    for b, frames_THWC in enumerate(frames_BTHWC):
        change, share, flicker = _plain(frames_THWC)
        np.testing.assert_allclose(found.change_BS[b], change, rtol=1e-5)
        np.testing.assert_allclose(found.share_BS[b], share, atol=2e-4)
        np.testing.assert_allclose(found.flicker_B[b], flicker, rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_only_rises_or_only_falls_does_not_flicker(seed):
    """Every channel of every pixel on its own way from canvas to picture, at its own pace."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 256, (2, 1, 1, 8, 8, 3))
    way = np.sort(rng.uniform(size=(1, 9, 8, 8, 3)), axis=1)
    frames = np.rint(ends[0] + way * (ends[1] - ends[0])).astype(np.uint8)
    assert temporal.movement(frames, _all(frames)).flicker_B == 0


def test_shuffling_worsens_flicker_and_share(painted_BTHWC):
    shuffled = painted_BTHWC[:, np.random.default_rng(0).permutation(17)]
    before = temporal.movement(painted_BTHWC, _all(painted_BTHWC))
    after = temporal.movement(shuffled, _all(shuffled))
    assert np.all(after.flicker_B > 2 * before.flicker_B)
    assert np.all(temporal.typical_share(after) > 1.3 * temporal.typical_share(before))


@pytest.mark.parametrize("frames", [3, 5, 17])
def test_flicker_of_noise_is_half_but_for_the_last_step(frames):
    """It was said to be 0.6: of the T - 1 steps, the T - 2 with a next one are half undone."""
    rng = np.random.default_rng(frames)
    noise_BTHWC = rng.integers(0, 256, (1, frames, 48, 48, 3), np.uint8)
    found = float(temporal.movement(noise_BTHWC, _all(noise_BTHWC)).flicker_B[0])
    assert found == pytest.approx(0.5 * (frames - 2) / (frames - 1), abs=0.01)


def test_added_noise_is_seen_to_be_everywhere_and_undone(painted_BTHWC):
    before = temporal.movement(painted_BTHWC, _all(painted_BTHWC))
    noisy = _noisy(painted_BTHWC, 16)
    after = temporal.movement(noisy, _all(noisy))
    # Some of it: what lies behind is painted, and covered later.
    assert np.all(before.flicker_B < 0.15)
    assert np.all(after.flicker_B > before.flicker_B + 0.2)
    assert np.all(temporal.typical_share(after) > temporal.typical_share(before) + 0.2)
    slight = _noisy(painted_BTHWC, 4)
    assert np.all(temporal.movement(slight, _all(slight)).flicker_B > before.flicker_B)


def test_rounding_of_a_codec_is_no_flicker():
    still = np.full((1, 9, 16, 16, 3), 128, np.uint8)
    jitter = still + np.random.default_rng(0).integers(-1, 2, still.shape).astype(np.uint8)
    found = temporal.movement(jitter, _all(jitter))
    assert found.flicker_B == 0
    assert not np.any(found.active_BS)


def test_padding_and_still_frames_change_nothing(painted_BTHWC):
    frames = _noisy(painted_BTHWC[:4], 6)
    expected = temporal.movement(frames, _all(frames))
    padded = np.pad(frames, [(0, 0), (0, 3), (0, 0), (0, 0), (0, 0)])
    mask = np.pad(_all(frames), [(0, 0), (0, 3)])
    found = temporal.movement(padded, mask)
    np.testing.assert_allclose(found.flicker_B, expected.flicker_B, rtol=1e-6)
    np.testing.assert_allclose(found.change_BS[:, :16], expected.change_BS, rtol=1e-6)
    assert not np.any(found.change_BS[:, 16:])
    longer = np.repeat(frames, 2, axis=1)[:, :20]
    half = frames[:, :10]
    np.testing.assert_allclose(
        temporal.movement(longer, _all(longer)).flicker_B,
        temporal.movement(half, _all(half)).flicker_B,
        rtol=1e-6,
    )


def test_a_video_without_change_has_zeros():
    picture = np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    frames = np.repeat(picture[None], 8, 0)[None]
    found = temporal.movement(frames, _all(frames))
    assert found.flicker_B == temporal.typical_share(found) == 0
    progress = np.linspace(0, 1, 8, dtype=np.float32)[None]
    assert not np.any(temporal.work_profile(found, progress, _all(frames)))


@pytest.mark.parametrize("padding", [0, 2])
def test_work_profile_is_the_share_of_change_done(padding):
    rows = np.array([0, 1, 1, 4, 8])
    frames = np.where(np.arange(8)[None, :, None, None] < rows[:, None, None, None], 0, 200)
    frames = np.broadcast_to(frames, (5, 8, 8, 3)).astype(np.uint8)[None]
    frames = np.pad(frames, [(0, 0), (0, padding), (0, 0), (0, 0), (0, 0)])
    mask = np.arange(5 + padding)[None] < 5
    progress = np.pad(np.linspace(0, 1, 5, dtype=np.float32), (0, padding))[None]
    found = temporal.work_profile(temporal.movement(frames, mask), progress, mask)
    np.testing.assert_allclose(found[0, ::8], rows / 8, rtol=1e-5, atol=1e-6)
