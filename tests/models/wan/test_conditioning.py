"""Reverse painting for Wan's transformers, with an autoencoder that shows what it was given."""

import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.diffusion import reverse_painting
from painting_jax.models.family import Encoders, VideoModel
from painting_jax.models.wan import conditioning
from painting_jax.models.wan.family import WanFamily
from painting_jax.models.wan.transformer import WanConfig


class Folding:
    """A `Codec` whose latents are the pixels: the first frame alone, the others four by four."""

    channels, spatial, temporal = 12, 1, 4

    def encode(self, video_BTHWC):
        first_B1HWC = jnp.tile(video_BTHWC[:, :1], 4)
        batch, frames, height, width, _ = video_BTHWC.shape
        rest = video_BTHWC[:, 1:].reshape(batch, (frames - 1) // 4, 4, height, width, 3)
        rest = rest.transpose(0, 1, 3, 4, 2, 5).reshape(batch, -1, height, width, 12)
        return jnp.concatenate([first_B1HWC, rest], 1)


class Family(WanFamily):
    def make_codec(self, config):
        return Folding()


def model(in_channels: int) -> VideoModel:
    config = WanConfig(
        dim=8, layers=1, heads=1, ffn_dim=8, in_channels=in_channels, out_channels=12
    )
    return VideoModel(Family("wan21", 5, 100), config, None)


FIRST_FRAME, CONCATENATED = model(12), model(2 * 12 + 4)
EMPTY_LD = np.full((3, 5), 7, np.float32)


def encoded(model: VideoModel, frames: int):
    return reverse_painting.encode(batch(frames), reference(), model, model.encoders({}))


def batch(frames: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "frames_BTHWC": rng.integers(0, 256, (2, frames, 2, 2, 3), dtype=np.uint8),
        "progress_BT": np.linspace(0, 1, frames, dtype=np.float32)[None].repeat(2, 0),
        "text_BLD": rng.normal(size=(2, 3, 5)).astype(np.float32),
    }


def reference() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (2, 2, 2, 3)).astype(np.float32)


def as_float(frames) -> np.ndarray:
    return np.asarray(frames, np.float32) / 127.5 - 1


def test_the_picture_comes_before_the_process_where_it_is_the_first_latent_frame():
    frames_BTHWC = batch(8)["frames_BTHWC"]
    clean, conditions = encoded(FIRST_FRAME, 8)
    assert FIRST_FRAME.conditioning_frames == 1
    assert clean.shape[1] == 1 + 8 // 4
    np.testing.assert_array_equal(clean[:, 0, ..., :3], reference())
    np.testing.assert_array_equal(conditions.image_BTHWC, clean[:, :1])
    finished, blank = as_float(frames_BTHWC[:, -1]), as_float(frames_BTHWC[:, 0])
    np.testing.assert_allclose(clean[:, 1, ..., :3], finished, atol=1e-6)
    np.testing.assert_allclose(clean[:, -1, ..., -3:], blank, atol=1e-6)


def test_the_finished_picture_is_the_first_frame_where_the_picture_is_concatenated():
    clean, conditions = encoded(CONCATENATED, 5)
    assert CONCATENATED.conditioning_frames == 0
    finished = as_float(batch(5)["frames_BTHWC"][:, -1])
    np.testing.assert_allclose(clean[:, 0, ..., :3], finished, atol=1e-6)
    mask, latents = np.split(np.asarray(conditions.image_BTHWC), [4], axis=-1)
    assert mask[:, 0].min() == 1
    assert mask[:, 1:].max() == 0
    np.testing.assert_array_equal(latents[:, 0, ..., :3], reference())
    np.testing.assert_array_equal(latents[:, 1:], 0)


def test_a_dropped_prompt_is_the_empty_one():
    _, conditions = encoded(FIRST_FRAME, 8)
    family, encoders = FIRST_FRAME.family, Encoders(Folding(), empty_text_LD=EMPTY_LD)
    dropped = family.drop(conditions, {"text": jnp.array([True, False])}, encoders)
    np.testing.assert_array_equal(dropped.text_BLD[0], EMPTY_LD)
    np.testing.assert_array_equal(dropped.text_BLD[1], conditions.text_BLD[1])
    np.testing.assert_array_equal(dropped.image_BTHWC, conditions.image_BTHWC)


@pytest.mark.parametrize("channels", [1, 13, 27])
def test_channels_that_fit_neither_way_are_refused(channels):
    with pytest.raises(ValueError, match="12 or 28 would"):
        conditioning.image_conditioning(model(channels).config, Folding())
