"""The network around the transformer: text, conditions, pixel head."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from painting_jax.models import segments
from painting_jax.models.painting.modeling import Conditions, PaintingConfig, PaintingModel
from painting_jax.models.painting.picture import Picture

CONFIG = PaintingConfig(
    dim=32,
    layers=2,
    heads=2,
    ffn_dim=48,
    patch=(1, 4, 4),
    codec_channels=3,
    codec_temporal=1,
    vocabulary=20,
    text_dim=8,
    media=("oil", "pencil", "ink"),
    pixel_layers=4,
    behind_guides=True,
    canvas_guides=True,
)


def inputs(batch: int = 2, frames: int = 3, height: int = 8, width: int = 12):
    rng = np.random.default_rng(0)
    noisy = jnp.asarray(rng.normal(size=(batch, frames, height, width, 3)), jnp.float32)
    reference = rng.uniform(-1, 1, (batch, 1, height, width, 3)).repeat(frames, 1)
    conditions = Conditions(
        image_BTHWC=jnp.concatenate([jnp.ones((*noisy.shape[:-1], 1)), reference], -1),
        medium_BM=jnp.eye(3)[:batch],
        text_BL=jnp.array([[3, 4, 0], [5, 0, 0]][:batch]),
        picture=Picture(
            jnp.asarray(reference[:, 0], jnp.float32),
            jnp.asarray(rng.integers(1, 4, (batch, height, width)), jnp.uint8),
            jnp.asarray(rng.uniform(-1, 1, (batch, height, width, 3)), jnp.float32),
            jnp.asarray(rng.integers(0, 2, (batch, height, width)), jnp.uint8),
            jnp.asarray(rng.uniform(-1, 1, (batch, height, width, 3)), jnp.float32),
            jnp.arange(batch) > 0,
        ),
        progress_BT=jnp.tile(jnp.linspace(1, 0, frames), (batch, 1)),
    )
    return noisy, jnp.array([0.3, 0.8])[:batch], conditions


@nnx.jit
def apply(model, noisy, sigma, conditions):
    return model(noisy, sigma, conditions)[0]


def trained(config: PaintingConfig) -> PaintingModel:
    """A model whose zero-initialised parts are no longer zero."""
    model = fresh(config)
    rng = np.random.default_rng(1)
    state = jax.tree.map(
        lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32),
        nnx.to_pure_dict(nnx.state(model)),
    )
    nnx.update(model, state)
    return model


def fresh(config: PaintingConfig) -> PaintingModel:
    # Compiled as a whole: one by one, the initialisers take half a minute.
    return nnx.jit(lambda: PaintingModel(config, rngs=nnx.Rngs(0)))()


@pytest.mark.parametrize("pixel_layers", [0, 4])
@pytest.mark.parametrize("shape", [(1, 8, 12), (3, 8, 4), (5, 4, 16)])
def test_the_prediction_has_the_samples_shape(pixel_layers, shape):
    config = dataclasses.replace(CONFIG, pixel_layers=pixel_layers)
    noisy, sigma, conditions = inputs(2, *shape)
    prediction = apply(fresh(config), noisy, sigma, conditions)
    assert prediction.shape == noisy.shape
    assert prediction.dtype == jnp.float32


@pytest.mark.parametrize(
    "change",
    [
        {"medium_BM": jnp.eye(3)[1:]},
        {"text_BL": jnp.array([[3, 5, 0], [5, 0, 0]])},
        {"progress_BT": jnp.tile(jnp.array([1, 0.2, 0]), (2, 1))},
        {"image_BTHWC": jnp.zeros((2, 3, 8, 12, 4))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_condition_reaches_the_prediction(change):
    model = trained(CONFIG)
    noisy, sigma, conditions = inputs()
    before = apply(model, noisy, sigma, conditions)
    after = apply(model, noisy, sigma, dataclasses.replace(conditions, **change))
    assert float(jnp.abs(before - after).max()) > 1e-3


@pytest.mark.parametrize(
    "change",
    [
        {"segments_BHW": jnp.ones((2, 8, 12), jnp.uint8)},
        {"behind_BHWC": jnp.ones((2, 8, 12, 3))},
        {"behind_segments_BHW": jnp.ones((2, 8, 12), jnp.uint8)},
        {"canvas_BHWC": jnp.zeros((2, 8, 12, 3))},
        {"given_B": jnp.array([True, True])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_the_picture_reaches_the_frames_before_the_last(change):
    model = trained(CONFIG)
    noisy, sigma, conditions = inputs()
    before = apply(model, noisy, sigma, conditions)
    changed = dataclasses.replace(conditions.picture, **change)
    after = apply(model, noisy, sigma, dataclasses.replace(conditions, picture=changed))
    assert float(jnp.abs(before - after)[:, :-1].max()) > 1e-3


def test_a_given_canvas_is_held_whatever_the_noise_on_it():
    model = trained(CONFIG)
    noisy, sigma, conditions = inputs()
    video = apply(model, noisy, sigma, conditions)
    # It is given for the second of two pictures alone.
    np.testing.assert_array_equal(video[1, -1], conditions.picture.canvas_BHWC[1])
    assert float(jnp.abs(video[0, -1] - conditions.picture.canvas_BHWC[0]).max()) > 0.1
    other = apply(model, noisy.at[:, -1].add(1.0), sigma, conditions)
    np.testing.assert_array_equal(other[1], video[1])
    assert float(jnp.abs(other[0] - video[0]).max()) > 1e-3


def test_a_sample_does_not_depend_on_its_neighbours():
    model = trained(CONFIG)
    noisy, sigma, conditions = inputs()
    both = apply(model, noisy, sigma, conditions)
    alone = apply(model, noisy[:1], sigma[:1], jax.tree.map(lambda x: x[:1], conditions))
    np.testing.assert_allclose(both[:1], alone, atol=1e-5)


def test_padding_of_the_text_is_zero_whatever_its_row_of_the_table_holds():
    model = trained(CONFIG)
    noisy, sigma, conditions = inputs()
    before = apply(model, noisy, sigma, conditions)
    model.token_table[...] = model.token_table[...].at[0].set(99.0)
    np.testing.assert_array_equal(apply(model, noisy, sigma, conditions), before)


def test_unlabelled_pixels_have_no_features():
    maps = np.zeros((1, 8, 8), np.uint8)
    assert not np.any(segments.segment_features(jnp.asarray(maps)))
    maps[0, :, 4:] = 2
    maps[0, :4, 4:] = 1
    features = np.asarray(segments.segment_features(jnp.asarray(maps)))
    assert features.shape == (1, 8, 8, segments.CHANNELS)
    assert not np.any(features[0, :, :3])
    np.testing.assert_allclose(features[0, 0, 5, :2], [1, 0.5])
    np.testing.assert_allclose(features[0, 7, 5, :2], [1, 1])
    np.testing.assert_array_equal(features[0, :, 5, 2], [0, 0, 0, 1, 0, 0, 0, 0])


def test_wide_outlines_lie_around_the_border():
    maps = np.ones((1, 3, 8), np.uint8)
    maps[0, :, 4:] = 2
    outline = np.asarray(segments.segment_features(jnp.asarray(maps), 3))[0, 1, :, 2]
    np.testing.assert_array_equal(outline, [0, 0, 1, 1, 1, 0, 0, 0])


def test_flat_colours_are_the_regions_means():
    rng = np.random.default_rng(0)
    picture = rng.uniform(-1, 1, (2, 6, 5, 3)).astype(np.float32)
    maps = rng.integers(0, 4, (2, 6, 5)).astype(np.uint8)
    flat = np.asarray(segments.flat_colours(jnp.asarray(picture), jnp.asarray(maps)))
    for b in range(2):
        for label in np.unique(maps[b]):
            region = maps[b] == label
            mean = picture[b][region].mean(0)
            np.testing.assert_allclose(flat[b][region], np.tile(mean, (region.sum(), 1)), atol=1e-5)
