"""DINOv2 and its preprocessing against transformers'."""

import functools

import jax
import numpy as np
import pytest
import torch
import transformers
from flax import nnx
from PIL import Image

from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.source import open_source
from painting_jax.models.dinov2 import modeling as dinov2
from painting_jax.models.dinov2.modeling import DINOv2
from painting_jax.models.dinov2.params import TABLES, config
from tests.checkpoints.filling import random_reference

TINY = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 70}
KINDS = {
    "plain": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**TINY, patch_size=14)),
    "registers": lambda: transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(
            **TINY, patch_size=14, num_register_tokens=3, use_swiglu_ffn=True
        )
    ),
}


@functools.cache
def reference(kind: str) -> transformers.PreTrainedModel:
    return random_reference(KINDS[kind])


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The model that transformers saved, by kind."""

    @functools.cache
    def load(kind: str) -> DINOv2:
        folder = tmp_path_factory.mktemp(kind)
        reference(kind).save_pretrained(folder)
        source = open_source(folder)
        sizes = config(source.config)
        return load_model(lambda: DINOv2(sizes, rngs=nnx.Rngs(0)), source, TABLES)

    return load


apply = nnx.jit(lambda model, pixels_BHWC: model(pixels_BHWC))
embed = nnx.jit(lambda model, pixels_BHWC: model.embed(pixels_BHWC))


# The table is for 5 x 5 patches: as many; more and fewer; as many with a rest, not square.
@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("plain", (70, 70)),
        ("plain", (28, 126)),
        ("plain", (75, 71)),
        ("registers", (112, 84)),
        ("registers", (28, 126)),
    ],
)
def test_saved_by_transformers_gives_its_tokens_at_any_size(ours, kind, shape):
    pixels_BHWC = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    with torch.no_grad():
        expected = reference(kind)(torch.from_numpy(pixels_BHWC).permute(0, 3, 1, 2))
    class_BD, patches_BhwD = apply(ours(kind), pixels_BHWC)
    tokens = expected.last_hidden_state[:, -(shape[0] // 14) * (shape[1] // 14) :].numpy()
    scale = np.abs(tokens).max()
    np.testing.assert_allclose(class_BD, expected.pooler_output.numpy(), atol=1e-5 * scale, rtol=0)
    flat = np.asarray(patches_BhwD).reshape(tokens.shape)
    np.testing.assert_allclose(flat, tokens, atol=1e-5 * scale, rtol=0)
    alone_BD = embed(ours(kind), pixels_BHWC)
    np.testing.assert_allclose(alone_BD, expected.pooler_output.numpy(), atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(480, 832), (301, 225), (37, 50)])
def test_preprocessing_equals_transformers_to_float_rounding(height, width):
    rng = np.random.default_rng(height)
    picture = rng.choice([0, 1, 99, 254, 255], (height, width, 3)).astype(np.uint8)
    processor = transformers.BitImageProcessorPil(
        size={"shortest_edge": 256},
        crop_size={"height": 224, "width": 224},
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    expected = processor(images=Image.fromarray(picture), return_tensors="np")["pixel_values"]
    actual = jax.jit(dinov2.preprocess)(picture[None])
    np.testing.assert_allclose(actual, expected.transpose(0, 2, 3, 1), atol=1e-6, rtol=0)


def test_whole_pictures_keep_their_aspect_in_whole_patches():
    shapes = {
        (height, width): jax.eval_shape(
            dinov2.preprocess_whole, jax.ShapeDtypeStruct((1, height, width, 3), np.uint8)
        ).shape
        for height, width in ((480, 832), (90, 60), (64, 64))
    }
    assert shapes == {
        (480, 832): (1, 224, 392, 3),
        (90, 60): (1, 336, 224, 3),
        (64, 64): (1, 224, 224, 3),
    }


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        # With the mask token that training alone needs: 22,056,576, 86,580,480, 304,368,640.
        ("vit_s_14", 22_056_192),
        ("vit_b_14", 86_579_712),
        ("vit_l_14", 304_367_616),
        ("vit_s_14_registers", 22_057_728),
    ],
)
def test_published_sizes_have_the_published_numbers_of_parameters(size, parameters):
    model = nnx.eval_shape(lambda: DINOv2(dinov2.SIZES[size], rngs=nnx.Rngs(0)))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model))) == parameters
