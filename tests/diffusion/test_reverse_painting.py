"""What a batch of processes becomes on the device."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from painting_jax import media
from painting_jax.diffusion import conditions as conditions_lib
from painting_jax.diffusion import cross_media, reverse_painting
from painting_jax.models.codec import PixelCodec

OBJECTIVE = reverse_painting.Objective(
    clean_prediction=True,
    law="logit_normal",
    mean=0.0,
    std=1.0,
    shift=1.0,
    reference_everywhere=True,
    augment=0.0,
    looks_MA=tuple((1.0,) * len(cross_media.LOOKS) for _ in media.MEDIA),
    mono_M=tuple(float(medium.mono) for medium in media.MEDIA.values()),
    drop=dict.fromkeys(("reference", "medium", "text", "segments"), 0.0),
)


def drawn(given_batch: dict, objective=OBJECTIVE) -> reverse_painting.Sample:
    """A training sample in picture space."""
    return reverse_painting.training_sample(
        jax.random.key(0),
        given_batch,
        objective,
        encode=lambda batch, reference: reverse_painting.encode_painting(
            batch, reference, PixelCodec(), objective
        ),
        drop=lambda key, conditions: conditions_lib.drop_randomly(key, conditions, objective.drop),
    )


def batch(size: int = 2, frames: int = 5) -> dict[str, jnp.ndarray]:
    rng = np.random.default_rng(0)
    frames_BTHWC = rng.integers(0, 256, (size, frames, 8, 8, 3), dtype=np.uint8)
    return {
        "frames_BTHWC": jnp.asarray(frames_BTHWC),
        "progress_BT": jnp.tile(jnp.linspace(0, 1, frames), (size, 1)),
        "medium_BM": jnp.eye(len(media.MEDIA))[:size],
        "text_BL": jnp.ones((size, 4), jnp.int32),
        "reference_BHWC": jnp.asarray(frames_BTHWC[:, -1]),
        "segments_BHW": jnp.ones((size, 8, 8), jnp.uint8),
    }


@settings(max_examples=20, deadline=None)
@given(frames=st.integers(1, 7), seed=st.integers(0, 99))
def test_reversing_twice_changes_nothing(frames, seed):
    video = np.random.default_rng(seed).normal(size=(2, frames, 3))
    twice = reverse_painting.reverse(reverse_painting.reverse(jnp.asarray(video)))
    np.testing.assert_array_equal(twice, jnp.asarray(video))


def test_every_8_bit_value_survives_the_way_to_the_model_and_back():
    values = jnp.arange(256, dtype=jnp.uint8)
    np.testing.assert_array_equal(
        reverse_painting.to_uint8(reverse_painting.to_float(values)), values
    )


def test_the_model_sees_the_finished_picture_first_and_the_blank_canvas_last():
    given_batch = batch()
    sample = drawn(given_batch)
    frames = reverse_painting.to_float(given_batch["frames_BTHWC"])
    np.testing.assert_array_equal(sample.clean_BTHWC[:, 0], frames[:, -1])
    np.testing.assert_array_equal(sample.clean_BTHWC[:, -1], frames[:, 0])
    np.testing.assert_array_equal(sample.conditions.progress_BT[:, 0], 1)
    np.testing.assert_array_equal(sample.conditions.progress_BT[:, -1], 0)


def test_augmentation_changes_the_reference_and_never_the_target():
    plain = drawn(batch())
    changed = drawn(batch(), dataclasses.replace(OBJECTIVE, augment=1.0))
    np.testing.assert_array_equal(plain.clean_BTHWC, changed.clean_BTHWC)
    assert np.any(
        np.asarray(plain.conditions.image_BTHWC) != np.asarray(changed.conditions.image_BTHWC)
    )


def test_training_and_sampling_are_conditioned_alike():
    given_batch = batch()
    sample = drawn(given_batch)
    reference = reverse_painting.to_float(given_batch["reference_BHWC"])
    conditions = reverse_painting.painting_conditions(
        given_batch, reference, PixelCodec(), OBJECTIVE
    )
    jax.tree.map(np.testing.assert_array_equal, sample.conditions, conditions)


def test_a_model_that_knows_the_answer_has_no_loss():
    sample = drawn(batch())
    loss_B = reverse_painting.loss(
        lambda noisy, sigma_B, conditions: sample.clean_BTHWC, sample, OBJECTIVE
    )
    np.testing.assert_array_equal(loss_B, 0)


def test_frames_that_the_model_is_given_are_not_judged():
    objective = dataclasses.replace(OBJECTIVE, given=2)
    sample = drawn(batch(), objective)
    wrong_in_the_given = sample.clean_BTHWC.at[:, :2].add(1)
    loss_B = reverse_painting.loss(lambda *_: wrong_in_the_given, sample, objective)
    np.testing.assert_array_equal(loss_B, 0)
    assert np.all(reverse_painting.loss(lambda *_: wrong_in_the_given, sample, OBJECTIVE) > 0)
