"""Pictures painted at their full size by a network that is its own decoder."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from flax import nnx

from painting_jax.diffusion.painting import paint, paint_each
from painting_jax.diffusion.sampling import Sampling
from painting_jax.errors import UserError
from painting_jax.models.family import VideoModel
from painting_jax.models.painting.family import PAINTING
from painting_jax.sharding.mesh import make_mesh
from tests.models.painting.test_modeling import CONFIG, trained

FRAMES = 3
MODEL = VideoModel(PAINTING, CONFIG, codec_config=1, clean_prediction=True)


def model_at(times: int) -> VideoModel:
    return dataclasses.replace(MODEL, codec_config=times)


@functools.cache
def networks():
    graph, state = nnx.split(trained(CONFIG))
    params = nnx.to_pure_dict(state)
    return [lambda: (graph, params)]


def row(times: int, seed: int) -> dict[str, np.ndarray]:
    """A batch of one picture, so many times as large as the 8 x 12 pixels of its latents."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (1, 8, 12, 3), dtype=np.uint8)
    labels = rng.integers(1, 4, (1, 8, 12)).astype(np.uint8)
    larger = (x.repeat(times, 1).repeat(times, 2) for x in (small, labels))
    reference, segments = larger
    return {
        "reference_BHWC": reference,
        "segments_BHW": segments,
        "medium_BM": np.eye(3, dtype=np.float32)[seed : seed + 1],
        "text_BL": np.array([[3, 4, 0]], np.int32),
        "progress_BT": np.linspace(0, 1, FRAMES, dtype=np.float32)[None],
        "seed_B": np.array([seed], np.int32),
    }


def how(**changes) -> Sampling:
    given = {"sampler": "rectified_flow", "steps": 3, "shift": 1.0, "guidance": (1.0,)}
    return Sampling(**(given | changes), guide_on=("medium", "text"))


def mesh(devices: int = 1):
    return make_mesh({"data": -1}, jax.devices()[:devices])


def painted(model: VideoModel, batch: dict, asked: Sampling, devices: int = 1) -> np.ndarray:
    [frames_BTHWC] = paint(model, {}, networks(), [batch], asked, mesh(devices))
    return frames_BTHWC


@pytest.mark.parametrize("guidance", [1.0, 1.4])
@pytest.mark.parametrize("sampler", ["rectified_flow", "unipc"])
def test_the_last_step_at_the_size_of_the_latents_is_that_of_the_sampler(sampler, guidance):
    asked = how(sampler=sampler, guidance=(guidance,))
    batch = row(1, 0)
    [own_size] = paint_each([model_at(1)], {}, networks(), [batch], asked, mesh())
    difference = own_size.astype(int) - painted(MODEL, batch, asked)[0]
    # UniPC's levels end a thousandth above 0.
    assert np.abs(difference).max() <= (1 if sampler == "rectified_flow" else 2)


def test_pictures_of_different_sizes_are_painted_as_each_would_be_alone():
    rows, models = [row(2, 0), row(1, 1), row(4, 2)], [model_at(n) for n in (2, 1, 4)]
    together = list(paint_each(models, {}, networks(), rows, how(), mesh()))
    assert [frames.shape for frames in together] == [(FRAMES, 8 * n, 12 * n, 3) for n in (2, 1, 4)]
    for frames_THWC, model, batch in zip(together, models, rows, strict=True):
        alone = painted(model, batch, how())[0]
        assert np.abs(frames_THWC.astype(int) - alone).max() <= 1


def test_devices_share_a_batch_at_full_size():
    pair = {name: np.concatenate([a, row(2, 1)[name]]) for name, a in row(2, 0).items()}
    on_one, on_two = (painted(model_at(2), pair, how(), devices) for devices in (1, 2))
    assert np.abs(on_one.astype(int) - on_two).max() <= 1


def test_one_step_is_the_last():
    frames_BTHWC = painted(model_at(2), row(2, 0), how(steps=1))
    assert frames_BTHWC.shape == (1, FRAMES, 16, 24, 3)


def test_damaged_parameters_end_in_a_line():
    graph, params = networks()[0]()
    broken = jax.tree.map(lambda leaf: leaf * np.nan, params)
    with pytest.raises(UserError, match=r"not finite"):
        list(paint(model_at(2), {}, [lambda: (graph, broken)], [row(2, 0)], how(steps=1), mesh()))
