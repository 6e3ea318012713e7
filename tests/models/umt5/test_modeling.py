"""The text encoder against transformers' UMT5EncoderModel on the same random weights."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers
from flax import nnx

from painting_jax.models.umt5 import modeling as umt5
from painting_jax.models.umt5.params import TABLE
from tests.checkpoints.filling import fill, random_reference

TINY = umt5.UMT5Config(vocabulary=50, dim=24, layers=3, heads=3, head_dim=6, ffn_dim=20)


@functools.cache
def reference(config: umt5.UMT5Config) -> transformers.UMT5EncoderModel:
    return random_reference(
        lambda: transformers.UMT5EncoderModel(
            transformers.UMT5Config(
                vocab_size=config.vocabulary,
                d_model=config.dim,
                num_layers=config.layers,
                num_heads=config.heads,
                d_kv=config.head_dim,
                d_ff=config.ffn_dim,
                relative_attention_num_buckets=config.buckets,
                relative_attention_max_distance=config.max_distance,
            )
        )
    )


def build(config: umt5.UMT5Config, dtype=jnp.float32) -> umt5.UMT5Encoder:
    return umt5.UMT5Encoder(config, rngs=nnx.Rngs(0), dtype=dtype)


def converted(config: umt5.UMT5Config, dtype=jnp.float32) -> umt5.UMT5Encoder:
    return fill(lambda: build(config, dtype), TABLE, reference(config).state_dict())


@nnx.jit
def apply(model, ids_BL, mask_BL):
    return model(ids_BL, mask_BL)


@pytest.mark.parametrize(
    ("changes", "length", "counts"),
    [
        ({}, 7, [7, 3]),
        ({}, 1, [1]),
        ({}, 512, [9, 512]),
        ({"heads": 5, "head_dim": 4, "buckets": 8, "max_distance": 20}, 40, [33, 40]),
        ({"layers": 24}, 200, [200]),
    ],
    ids=["short", "one token", "padded to 512", "five heads, other buckets", "24 layers"],
)
def test_equals_transformers_and_padding_is_zero(changes, length, counts):
    config = dataclasses.replace(TINY, **changes)
    theirs = reference(config)
    ours = converted(config)
    ids = np.random.default_rng(0).integers(0, config.vocabulary, (len(counts), length))
    mask = np.arange(length) < np.array(counts)[:, None]
    with torch.no_grad():
        expected = theirs(torch.from_numpy(ids), torch.from_numpy(mask).long()).last_hidden_state
    expected = np.where(mask[..., None], expected.numpy(), 0)
    actual = apply(ours, ids, mask)
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize(
    ("buckets", "max_distance"), [(32, 128), (8, 128), (32, 20), (64, 512), (12, 100)]
)
def test_every_distance_falls_into_the_bucket_that_transformers_puts_it(buckets, max_distance):
    config = dataclasses.replace(TINY, buckets=buckets, max_distance=max_distance)
    attention = reference(dataclasses.replace(config, layers=1)).encoder.block[0].layer[0]
    distance = torch.arange(600)[None] - torch.arange(600)[:, None]
    expected = attention.SelfAttention._relative_position_bucket(distance)
    np.testing.assert_array_equal(umt5.relative_buckets(600, config), expected.numpy())


def test_what_padding_holds_does_not_matter():
    model = converted(TINY)
    rng = np.random.default_rng(0)
    mask = np.arange(8) < np.array([[5], [8]])
    ids = rng.integers(0, TINY.vocabulary, (2, 8))
    other = np.where(mask, ids, (ids + 1) % TINY.vocabulary)
    np.testing.assert_array_equal(apply(model, ids, mask), apply(model, other, mask))


def test_bfloat16_is_for_weights_and_projections_and_not_for_embeddings():
    def embeddings():
        model = build(TINY, jnp.bfloat16)
        nnx.update(model, jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), nnx.state(model)))
        return model(np.zeros((1, 7), np.int32), np.ones((1, 7), bool))

    assert nnx.eval_shape(embeddings).dtype == jnp.float32


def test_compiled_size_does_not_grow_with_depth():
    def hlo_lines(layers):
        model = nnx.eval_shape(lambda: build(dataclasses.replace(TINY, layers=layers)))
        graph, state = nnx.split(model)
        forward = jax.jit(lambda state, ids, mask: nnx.merge(graph, state)(ids, mask))
        ids = np.zeros((1, 8), np.int32)
        return forward.lower(state, ids, ids > 0).as_text().count("\n")

    assert hlo_lines(2) == hlo_lines(7)


def test_published_size_has_the_published_number_of_parameters():
    model = nnx.eval_shape(lambda: build(umt5.SIZES["umt5_xxl"]))
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model)))
    assert count == 5_680_910_336
