"""Architectures found from weights, and translation beyond what the verb's tests convert."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.checkpoints.components import architecture, component_of
from painting_jax.checkpoints.conversion import translate
from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import spellings
from painting_jax.models.wan.params import ORIGINAL, diffusers_config
from painting_jax.models.wan.transformer import SIZES


def described(names: dict[str, tuple[int, ...]], config: dict | None = None) -> Source:
    tensors = {k: Tensor(k, np.dtype("f4"), shape, 0) for k, shape in names.items()}
    return Source("described", tensors, config or {}, {})


def unwritten_14b() -> Source:
    """A single file of the 14B image-to-video model, as far as a header describes it."""
    shapes = architecture(described({}, diffusers_config(SIZES["wan21_i2v_14b"]))).shapes
    names = {}
    for path, leaf in shapes.items():
        spelling = spellings(ORIGINAL)[path]
        stacked = "{layer}" in spelling.name
        for layer in range(leaf.shape[0]) if stacked else [None]:
            shape = leaf.shape[1:] if stacked else leaf.shape
            names[spelling.of(layer)] = spelling.transform.their_shape(shape)
    return described(names)


def test_14b_is_translated_whole_and_nothing_of_it_is_read():
    source = unwritten_14b()
    tensors = translate(source, architecture(source), "diffusers", dtype=jnp.dtype("bfloat16"))
    assert len(tensors) == len(source.tensors) == 1303
    precise = sum(
        re.search(r"norm|modulation|time_embedding|img_emb\.proj\.[04]", name) is not None
        for name in source.tensors
    )
    assert sum(tensor.dtype == np.float32 for tensor in tensors.values()) == precise
    assert 32e9 < sum(tensor.nbytes for tensor in tensors.values()) < 33e9


def test_what_it_already_is_keeps_its_names():
    source = unwritten_14b()
    prefixed = {f"model.diffusion_model.{k}": x for k, x in source.tensors.items()}
    source = Source("prefixed", prefixed, {}, {})
    assert translate(source, architecture(source), "comfyui").keys() == prefixed.keys()


@pytest.mark.parametrize(
    ("names", "config", "component"),
    [
        ({}, {"_class_name": "WanTransformer3DModel"}, "transformer"),
        ({}, {"model_type": "umt5"}, "text_encoder"),
        ({"encoder.conv1.weight": (1,)}, {}, "vae"),
        ({"decoder.conv_in.weight": (1,)}, {}, "vae"),
        ({"patch_embedding.weight": (1,)}, {}, "transformer"),
    ],
)
def test_component_is_known_by_its_config_or_its_tensors(names, config, component):
    assert component_of(described(names, config)).name == component


def test_another_model_is_refused():
    with pytest.raises(UserError, match=r"is a FluxTransformer2DModel: WanTransformer3DModel, "):
        component_of(described({}, {"_class_name": "FluxTransformer2DModel"}))
