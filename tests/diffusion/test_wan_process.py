"""Reverse painting for Wan's transformers, with an autoencoder that shows what it was given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.diffusion import wan_process
from painting_jax.diffusion.wan_process import Eyes
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


def config(in_channels: int) -> WanConfig:
    return WanConfig(dim=8, layers=1, heads=1, ffn_dim=8, in_channels=in_channels, out_channels=12)


FIRST_FRAME = Eyes(Folding(), config(12))
CONCATENATED = Eyes(Folding(), config(2 * 12 + 4))


def batch(frames: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "frames_BTHWC": rng.integers(0, 256, (2, frames, 2, 2, 3), dtype=np.uint8),
        "text_BLD": rng.normal(size=(2, 3, 5)).astype(np.float32),
    }


def reference() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (2, 2, 2, 3)).astype(np.float32)


def as_float(frames) -> np.ndarray:
    return np.asarray(frames, np.float32) / 127.5 - 1


def test_the_picture_comes_before_the_process_where_it_is_the_first_latent_frame():
    given = batch(8)
    clean, conditions = wan_process.encode_process(given, reference(), FIRST_FRAME)
    assert FIRST_FRAME.given == 1
    assert clean.shape[1] == 1 + 8 // 4
    np.testing.assert_array_equal(clean[:, 0, ..., :3], reference())
    np.testing.assert_array_equal(conditions.image_BTHWC, clean[:, :1])
    finished, blank = as_float(given["frames_BTHWC"][:, -1]), as_float(given["frames_BTHWC"][:, 0])
    np.testing.assert_allclose(clean[:, 1, ..., :3], finished, atol=1e-6)
    np.testing.assert_allclose(clean[:, -1, ..., -3:], blank, atol=1e-6)


def test_the_finished_picture_is_the_first_frame_where_the_picture_is_concatenated():
    given = batch(5)
    clean, conditions = wan_process.encode_process(given, reference(), CONCATENATED)
    assert CONCATENATED.given == 0
    finished = as_float(given["frames_BTHWC"][:, -1])
    np.testing.assert_allclose(clean[:, 0, ..., :3], finished, atol=1e-6)
    mask, latents = np.split(np.asarray(conditions.image_BTHWC), [4], axis=-1)
    assert mask[:, 0].min() == 1
    assert mask[:, 1:].max() == 0
    np.testing.assert_array_equal(latents[:, 0, ..., :3], reference())
    np.testing.assert_array_equal(latents[:, 1:], 0)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_a_dropped_prompt_is_the_empty_one(probability):
    _, conditions = wan_process.encode_process(batch(8), reference(), FIRST_FRAME)
    empty_LD = np.full((3, 5), 7, np.float32)
    dropped = wan_process.drop_text(jax.random.key(0), conditions, empty_LD, probability)
    expected = empty_LD[None].repeat(2, 0) if probability else conditions.text_BLD
    np.testing.assert_array_equal(dropped.text_BLD, expected)
    np.testing.assert_array_equal(dropped.image_BTHWC, conditions.image_BTHWC)
