"""Painted order is told from reversed, and shuffled frames from either."""

import numpy as np

from painting_jax.evaluation import baselines
from painting_jax.metrics import direction


def _all(frames_BTHWC) -> np.ndarray:
    return np.ones(frames_BTHWC.shape[:2], bool)


def _sign(frames_BTHWC) -> np.ndarray:
    return np.asarray(direction.direction(frames_BTHWC, _all(frames_BTHWC)).sign_B)


def test_every_painted_process_and_its_reverse_are_recognised(painted_BTHWC):
    np.testing.assert_array_equal(_sign(painted_BTHWC), 1)
    np.testing.assert_array_equal(_sign(painted_BTHWC[:, ::-1]), -1)


def test_reversing_turns_the_score_around(painted_BTHWC):
    there = direction.direction(painted_BTHWC, _all(painted_BTHWC))
    back = direction.direction(painted_BTHWC[:, ::-1], _all(painted_BTHWC))
    np.testing.assert_allclose(back.score_B, -there.score_B, atol=1e-5)
    np.testing.assert_allclose(back.ordered_B, there.ordered_B, atol=1e-5)


def test_a_few_key_frames_are_enough_and_padding_changes_nothing(painted_BTHWC):
    padded = np.zeros_like(painted_BTHWC)
    padded[:, :3] = painted_BTHWC[:, [0, 8, 16]]
    mask_BT = np.broadcast_to(np.arange(17) < 3, padded.shape[:2])
    found = direction.direction(padded, mask_BT)
    np.testing.assert_array_equal(found.sign_B, 1)
    alone = padded[:, :3]
    expected = direction.direction(alone, _all(alone))
    np.testing.assert_allclose(found.score_B, expected.score_B, rtol=1e-5)
    # The ends alone: the second key frame becomes the last.
    padded[:, 1] = painted_BTHWC[:, 16]
    mask_BT = np.broadcast_to(np.arange(17) < 2, padded.shape[:2])
    np.testing.assert_array_equal(direction.direction(padded, mask_BT).sign_B, 1)


def test_fades_on_paper_and_on_grey_are_recognised(painted_BTHWC):
    picture = painted_BTHWC[:, -1]
    progress = np.broadcast_to(np.linspace(0, 1, 17, dtype=np.float32), (len(picture), 17))
    for ground in (247, 128, 30):
        fade = np.asarray(baselines.cross_fade(np.full_like(picture, ground), picture, progress))
        np.testing.assert_array_equal(_sign(fade), 1)
        np.testing.assert_array_equal(_sign(fade[:, ::-1]), -1)


def test_noise_does_not_hide_the_direction(painted_BTHWC):
    noise = np.random.default_rng(0).normal(0, 12, painted_BTHWC.shape)
    noisy = np.clip(painted_BTHWC + noise, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(_sign(noisy), 1)
    np.testing.assert_array_equal(_sign(noisy[:, ::-1]), -1)


def test_shuffled_frames_leave_it_unsure(painted_BTHWC):
    rng = np.random.default_rng(0)
    signs = [_sign(painted_BTHWC[:, rng.permutation(17)]) for _ in range(5)]
    assert np.mean(np.array(signs) == 0) > 0.95


def test_a_video_of_one_colour_has_no_direction(painted_BTHWC):
    np.testing.assert_array_equal(_sign(np.full_like(painted_BTHWC, 90)), 0)
