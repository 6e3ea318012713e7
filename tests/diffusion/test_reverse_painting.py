"""What a batch of processes becomes on the device."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from painting_jax import media
from painting_jax.diffusion import cross_media, reverse_painting
from painting_jax.diffusion.flow_matching import NoiseDistribution
from painting_jax.models.codec import to_float, to_uint8
from painting_jax.models.family import VideoModel
from painting_jax.models.painting.family import PAINTING
from painting_jax.models.painting.modeling import PaintingConfig

MODEL = VideoModel(
    PAINTING,
    PaintingConfig(8, 1, 1, 8, (1, 2, 2), 3, 1, 8, 4, tuple(media.MEDIA), 2),
    codec_config=1,
    clean_prediction=True,
)
OBJECTIVE = reverse_painting.Objective(
    noise=NoiseDistribution("logit_normal"),
    augment=0.0,
    looks_MA=tuple((1.0,) * len(cross_media.LOOKS) for _ in media.MEDIA),
    drop=dict.fromkeys(("reference", "medium", "text", "segments"), 0.0),
)


def drawn(given_batch: dict, objective=OBJECTIVE, model=MODEL) -> reverse_painting.Example:
    """A training example in picture space."""

    @jax.jit
    def draw(key, given_batch):
        encoders = model.encoders({})
        return reverse_painting.draw_example(key, given_batch, model, encoders, objective)

    return draw(jax.random.key(0), given_batch)


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
    np.testing.assert_array_equal(to_uint8(to_float(values)), values)


def test_the_model_sees_the_finished_picture_first_and_the_blank_canvas_last():
    given_batch = batch()
    sample = drawn(given_batch)
    frames = to_float(given_batch["frames_BTHWC"])
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


def marked(given_batch: dict, augment: float = 0.0, *, marks: bool = True) -> np.ndarray:
    """The mask of a training example of a model with or without marks, float32[B]."""
    config = dataclasses.replace(MODEL.config, mark_other_looks=marks)
    model = dataclasses.replace(MODEL, config=config)
    sample = drawn(given_batch, dataclasses.replace(OBJECTIVE, augment=augment), model)
    mask_BTHW = np.asarray(sample.conditions.image_BTHWC[..., 0])
    assert (mask_BTHW == mask_BTHW[:, :1, :1, :1]).all()
    return mask_BTHW[:, 0, 0, 0]


def test_training_marks_references_in_another_look_and_no_others():
    variant = {"other_look_B": jnp.array([True, False])}
    np.testing.assert_array_equal(marked(batch()), [1, 1])
    np.testing.assert_array_equal(marked(batch() | variant), [-1, 1])
    np.testing.assert_array_equal(marked(batch(), augment=1.0), [-1, -1])
    # A model of an earlier run is told of none.
    np.testing.assert_array_equal(marked(batch() | variant, augment=1.0, marks=False), [1, 1])


def test_training_and_sampling_are_conditioned_alike():
    given_batch = batch()
    sample = drawn(given_batch)
    reference = to_float(given_batch["reference_BHWC"])
    conditions = PAINTING.condition(MODEL.config, MODEL.encoders({}), given_batch, reference)
    jax.tree.map(np.testing.assert_array_equal, sample.conditions, conditions)


def test_a_model_that_knows_the_answer_has_no_loss():
    sample = drawn(batch())
    loss_B = reverse_painting.loss(
        lambda noisy, sigma_B, conditions: sample.clean_BTHWC, sample, MODEL, OBJECTIVE
    )
    np.testing.assert_array_equal(loss_B, 0)


def test_frames_that_the_model_is_given_are_not_judged(monkeypatch):
    example = drawn(batch())
    wrong_at_first = example.clean_BTHWC.at[:, :2].add(1)

    def loss_B():
        return reverse_painting.loss(lambda *_: wrong_at_first, example, MODEL, OBJECTIVE)

    assert np.all(loss_B() > 0)
    monkeypatch.setattr(type(PAINTING), "conditioning_frames", lambda *_: 2)
    np.testing.assert_array_equal(loss_B(), 0)


def test_the_loss_leaves_out_the_padding():
    """What is painted there changes nothing; latents on its border count for their share."""
    judged_BHW = np.zeros((2, 8, 8), np.uint8)
    judged_BHW[:, 3:6] = 1
    losses = []
    for paint in (0, 255):
        padded = batch()
        frames_BTHWC = np.array(padded["frames_BTHWC"])
        frames_BTHWC[:, :, judged_BHW[0] == 0] = paint
        padded |= {"frames_BTHWC": jnp.asarray(frames_BTHWC), "judged_BHW": judged_BHW}
        example = drawn(padded)
        losses.append(
            reverse_painting.loss(lambda noisy, sigma, given: 0 * noisy, example, MODEL, OBJECTIVE)
        )
    np.testing.assert_allclose(*losses, rtol=1e-5)
    coarse = types.SimpleNamespace(spatial=4)
    shares_BHW = reverse_painting.judged({"judged_BHW": judged_BHW}, coarse)
    np.testing.assert_array_equal(shares_BHW, np.tile([[[0.25], [0.5]]], (2, 1, 2)))
    assert reverse_painting.judged(batch(), coarse) is None


def test_a_head_of_a_larger_size_is_held_to_its_latents_and_to_a_part_of_the_picture():
    model = dataclasses.replace(
        MODEL, codec_config=2, config=dataclasses.replace(MODEL.config, canvas_guides=True)
    )
    example = drawn(batch(), model=model)
    video = np.asarray(to_float(batch()["frames_BTHWC"]))[:, ::-1]
    latents = video.reshape(2, 5, 4, 2, 4, 2, 3).mean((3, 5))
    np.testing.assert_allclose(example.clean_BTHWC, latents, atol=1e-6)
    target = np.asarray(example.target_BTHWC)
    np.testing.assert_allclose(target[:, :5], latents, atol=1e-6)
    # A quarter of a patch of 2 x 2 latents has 2 x 2 pixels.
    for b, (row, column) in enumerate(2 * np.asarray(example.conditions.window.corner_B2)):
        np.testing.assert_array_equal(
            target[b, 5:], video[b, :, row : row + 4, column : column + 4]
        )
    prediction = np.random.default_rng(1).normal(size=target.shape).astype(np.float32)
    loss_B = reverse_painting.loss(lambda *_: jnp.asarray(prediction), example, model, OBJECTIVE)
    sigma_B = np.maximum(np.asarray(example.sigma_B), 0.05)
    halves = [
        np.square(prediction[:, part] - target[:, part]).mean((1, 2, 3, 4))
        for part in (slice(5), slice(5, None))
    ]
    np.testing.assert_allclose(loss_B, np.mean(halves, 0) / sigma_B**2, rtol=1e-4)
