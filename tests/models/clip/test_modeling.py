"""The image encoder and its preprocessing against transformers'."""

import dataclasses
import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers
from diffusers import WanImageToVideoPipeline
from flax import nnx
from PIL import Image

from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.source import open_source
from painting_jax.models import vit_blocks as transformer
from painting_jax.models.clip import modeling as clip
from painting_jax.models.clip.params import BOTH as WEIGHTS_OF_BOTH
from painting_jax.models.clip.params import TABLE, both_config
from tests.checkpoints.filling import fill, random_reference

# Text towers of the published models, by the names that their vision towers have in `clip.SIZES`.
TEXT_SIZES = {
    "vit_b_32": clip.CLIPTextConfig(512, 12, 8, 2048, 512),
    "vit_b_16": clip.CLIPTextConfig(512, 12, 8, 2048, 512),
    "vit_l_14": clip.CLIPTextConfig(768, 12, 12, 3072, 768),
}
TINY = clip.CLIPVisionConfig(dim=24, layers=3, heads=3, ffn_dim=20, image_size=28)


@functools.cache
def reference(config: clip.CLIPVisionConfig) -> transformers.PreTrainedModel:
    kind = transformers.CLIPVisionModel
    if config.projection_dim:
        kind = transformers.CLIPVisionModelWithProjection
    return random_reference(
        lambda: kind(
            transformers.CLIPVisionConfig(
                hidden_size=config.dim,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.ffn_dim,
                image_size=config.image_size,
                patch_size=config.patch,
                hidden_act=config.activation,
                projection_dim=config.projection_dim,
            )
        )
    )


def build(config: clip.CLIPVisionConfig) -> clip.CLIPVision:
    return clip.CLIPVision(config, rngs=nnx.Rngs(0))


def converted(config: clip.CLIPVisionConfig) -> clip.CLIPVision:
    return fill(lambda: build(config), TABLE, reference(config).state_dict())


@nnx.jit
def apply(model, pixels_BHWC):
    return model(pixels_BHWC)


def pixels(config: clip.CLIPVisionConfig, batch: int) -> np.ndarray:
    shape = (batch, config.image_size, config.image_size, 3)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_near(actual, expected: torch.Tensor) -> None:
    scale = float(expected.abs().max())
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize(
    ("changes", "batch"),
    [
        ({}, 2),
        ({"heads": 5, "dim": 40, "patch": 7, "activation": "quick_gelu"}, 1),
        ({"image_size": 32, "patch": 2, "layers": 12}, 2),
        ({"layers": 1, "heads": 1, "image_size": 30}, 1),
    ],
    ids=["three heads", "five heads, quick GELU", "257 tokens, 12 layers", "rest of a patch"],
)
def test_penultimate_tokens_equal_transformers(changes, batch):
    config = dataclasses.replace(TINY, **changes)
    pictures = torch.from_numpy(pixels(config, batch)).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = reference(config)(pictures, output_hidden_states=True).hidden_states[-2]
    actual = apply(converted(config), pixels(config, batch))
    assert actual.shape == (batch, config.tokens, config.dim)
    assert_near(actual, expected)


def test_embedding_equals_transformers_projected_or_not():
    config = dataclasses.replace(TINY, projection_dim=6)
    projected = converted(config)
    plain = converted(TINY)
    ours = nnx.jit(lambda *models: [model.embed(pixels(config, 2)) for model in models])
    pictures = torch.from_numpy(pixels(config, 2)).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = reference(config)(pictures).image_embeds, reference(TINY)(pictures).pooler_output
    for actual, wanted in zip(ours(projected, plain), expected, strict=True):
        assert_near(actual, wanted)


def test_blocks_made_ready_for_inference_give_the_same():
    config = dataclasses.replace(TINY, projection_dim=6)
    model = converted(config)
    both = nnx.jit(lambda model: (model.embed(pixels(config, 2)), model(pixels(config, 2))))
    expected = both(model)
    model.blocks = transformer.for_inference(model.blocks)
    assert len(model.blocks) == 3
    for actual, wanted in zip(both(model), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, atol=1e-6 * np.abs(wanted).max(), rtol=0)


preprocess = jax.jit(clip.preprocess, static_argnums=1)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (480, 832, 224),
        (832, 480, 224),
        (224, 224, 224),
        (225, 301, 224),
        (37, 50, 224),
        (8, 97, 224),
        (640, 427, 32),
        (61, 60, 15),
    ],
)
def test_preprocessing_equals_transformers_to_float_rounding(height, width, size):
    # The noise reaches black and white everywhere: what overshoots has to be clipped the same.
    rng = np.random.default_rng(height)
    picture = rng.choice([0, 1, 99, 254, 255], (height, width, 3)).astype(np.uint8)
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size=size)
    expected = processor(images=Image.fromarray(picture), return_tensors="np")["pixel_values"]
    actual = preprocess(picture[None], size)
    # One level of 255 is 0.014.
    np.testing.assert_allclose(actual, expected.transpose(0, 2, 3, 1), atol=1e-6, rtol=0)


def test_picture_to_tokens_equals_diffusers():
    theirs = reference(TINY)
    picture = np.random.default_rng(0).integers(0, 256, (45, 80, 3), np.uint8)
    pipeline = types.SimpleNamespace(
        image_encoder=theirs,
        image_processor=transformers.CLIPImageProcessorPil(size=28, crop_size=28),
        _execution_device=torch.device("cpu"),
    )
    with torch.no_grad():
        expected = WanImageToVideoPipeline.encode_image(pipeline, Image.fromarray(picture))
    assert_near(apply(converted(TINY), preprocess(picture[None], 28)), expected)


def test_pictures_of_a_batch_are_preprocessed_alike():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 40, 52, 3), np.uint8)
    both = preprocess(pictures, 32)
    np.testing.assert_array_equal(both[1], preprocess(pictures[1:], 32)[0])


def test_pictures_in_floats_are_refused():
    # By the function itself, or before it by the check of annotated shapes.
    with pytest.raises((ValueError, TypeError), match=r"float32|f32"):
        clip.preprocess(np.zeros((1, 40, 40, 3), np.float32))


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="the model takes 28 a side"):
        nnx.eval_shape(lambda: build(TINY)(np.zeros((1, 28, 32, 3), np.float32)))


def test_bfloat16_is_for_weights_and_projections_and_not_for_tokens():
    def tokens():
        model = clip.CLIPVision(TINY, rngs=nnx.Rngs(0), dtype=jnp.bfloat16)
        nnx.update(model, jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), nnx.state(model)))
        return model(pixels(TINY, 1))

    assert nnx.eval_shape(tokens).dtype == jnp.float32


def test_compiled_size_does_not_grow_with_depth():
    def hlo_lines(layers):
        model = nnx.eval_shape(lambda: build(dataclasses.replace(TINY, layers=layers)))
        graph, state = nnx.split(model)
        forward = jax.jit(lambda state, pixels: nnx.merge(graph, state)(pixels))
        return forward.lower(state, np.zeros((1, 28, 28, 3), np.float32)).as_text().count("\n")

    assert hlo_lines(2) == hlo_lines(7)


def test_published_size_has_the_published_number_of_parameters_and_tokens():
    config = clip.SIZES["vit_h_14"]
    model = nnx.eval_shape(lambda: build(config))
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model)))
    assert (config.tokens, count) == (257, 630_766_080)


BOTH = {
    "vision_config": {"hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 3,
                      "num_attention_heads": 3, "image_size": 28, "patch_size": 7},
    "text_config": {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
                    "num_attention_heads": 2, "vocab_size": 50, "max_position_embeddings": 12,
                    "bos_token_id": 0, "eos_token_id": 48},
    "projection_dim": 6,
}  # fmt: skip


@pytest.mark.parametrize("end", [48, 2], ids=["end named", "end of the first release"])
def test_both_towers_saved_by_transformers_give_its_features(tmp_path, end):
    text = BOTH["text_config"] | {"eos_token_id": end}
    config = transformers.CLIPConfig(**BOTH | {"text_config": text})
    theirs = random_reference(lambda: transformers.CLIPModel(config))
    theirs.save_pretrained(tmp_path)
    source = open_source(tmp_path)
    ours_config = both_config(source.config)
    ours = load_model(lambda: clip.CLIP(ours_config, rngs=nnx.Rngs(0)), source, [WEIGHTS_OF_BOTH])
    ids_BL = np.random.default_rng(0).integers(3, 48, (3, 9)).astype(np.int32)
    for row, place in enumerate((8, 4, 2)):
        ids_BL[row, place] = 48
    pictures_BHWC = pixels(ours_config.vision, 2)
    with torch.no_grad():
        expected = (
            theirs.get_image_features(torch.from_numpy(pictures_BHWC).permute(0, 3, 1, 2)),
            theirs.get_text_features(torch.from_numpy(ids_BL).long()),
        )
    actual = nnx.jit(lambda m, x, ids: (m.vision.embed(x), m.text.embed(ids)))(
        ours, pictures_BHWC, ids_BL
    )
    for ours_BE, theirs_BE in zip(actual, expected, strict=True):
        assert_near(ours_BE, theirs_BE.pooler_output)


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("vit_b_32", 151_277_312), ("vit_b_16", 149_620_736), ("vit_l_14", 427_616_512)],
)
def test_published_sizes_have_the_published_numbers_of_parameters(size, parameters):
    config = clip.CLIPConfig(clip.SIZES[size], TEXT_SIZES[size])
    model = nnx.eval_shape(lambda: clip.CLIP(config, rngs=nnx.Rngs(0)))
    # All but the scale of the logits, which training alone needs.
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model))) == parameters


def test_texts_too_long_are_refused():
    config = clip.CLIPTextConfig(8, 1, 2, 8, 4, vocabulary=9, length=5)
    with pytest.raises(ValueError, match="6 tokens, the model takes 5"):
        nnx.eval_shape(lambda: clip.CLIPText(config, rngs=nnx.Rngs(0)).embed(np.zeros((1, 6), int)))
