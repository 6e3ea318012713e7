"""What CPUs run gives the numbers of the plain code, and other platforms run the plain code."""

import functools
import inspect
import types
from collections.abc import Callable
from typing import NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from painting_jax.models import fast_on_cpu, layers, vit_blocks
from painting_jax.models.dinov2.modeling import DINOv2, DINOv2Config
from painting_jax.models.vgg.modeling import VGG16, conv3x3
from painting_jax.models.vit_blocks import PatchEmbedding
from painting_jax.models.wan.causal_conv import causal_conv
from painting_jax.models.wan.transformer import WanConfig, WanTransformer
from painting_jax.models.wan.vae import WanVAE, WanVAEConfig
from painting_jax.sharding import attention
from painting_jax.sharding.plain_attention import heads_first
from tests.elsewhere import on_other_platforms


class Piece(NamedTuple):
    """A function that has a faster version on CPUs.

    Attributes:
      function: chooses between both.
      shapes: shapes of its arguments.
      tolerance: largest difference of values and gradients, in parts of the largest number.
    """

    function: Callable
    shapes: tuple[tuple[int, ...], ...]
    tolerance: float = 2e-6


def _linear(x, kernel):
    layer = layers.linear(*kernel.shape, rngs=nnx.Rngs(0), dtype=jnp.float32, bias=False)
    layer.kernel[...] = kernel
    return layer(x)


def _patches(pixels, kernel):
    layer = PatchEmbedding(kernel.shape[-1], len(kernel), rngs=nnx.Rngs(0), dtype=jnp.float32)
    layer.kernel[...] = kernel
    return layer(pixels)


def _vision_blocks(x):
    blocks = vit_blocks.blocks(_BLOCKS, rngs=nnx.Rngs(0), dtype=jnp.float32)
    return vit_blocks.run_first(vit_blocks.for_inference(blocks), x)


_BLOCKS = vit_blocks.BlocksConfig(12, 2, 2, 16, gated=True)
PIECES = {
    "linear": Piece(_linear, ((2, 7, 12), (12, 10))),
    "layer_norm": Piece(layers.layer_norm, ((3, 7, 12),)),
    "rms_norm": Piece(layers.rms_norm, ((3, 7, 12),)),
    "modulate": Piece(layers.modulate, ((2, 6, 12), (2, 3, 12), (2, 3, 12))),
    "gated": Piece(layers.gated, ((2, 6, 12), (2, 6, 12), (2, 1, 12))),
    "causal_conv": Piece(causal_conv, ((1, 4, 5, 6, 3), (3, 3, 3, 3, 2))),
    "causal_conv over time alone": Piece(
        lambda x, kernel: causal_conv(x, kernel, 2), ((2, 5, 3, 2, 3), (3, 1, 1, 3, 2))
    ),
    "patch embedding": Piece(_patches, ((2, 9, 12, 3), (4, 4, 3, 10))),
    "winograd": Piece(conv3x3, ((2, 6, 8, 64), (3, 3, 64, 128))),
    "vision blocks": Piece(_vision_blocks, ((2, 257, 12),)),
    "winograd, odd sides": Piece(conv3x3, ((2, 5, 1, 64), (3, 3, 64, 128))),
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_values_and_gradients_are_those_of_the_plain_code(piece):
    rng = np.random.default_rng(0)
    arguments = [rng.normal(size=shape).astype(np.float32) for shape in piece.shapes]

    def both():
        @jax.jit
        def with_gradients(*arguments):
            value, backward = jax.vjp(piece.function, *arguments)
            weights = np.random.default_rng(1).normal(size=value.shape).astype(np.float32)
            return value, *backward(weights)

        return with_gradients(*arguments)

    fast = both()
    with on_other_platforms():
        plain = both()
    for actual, expected in zip(fast, plain, strict=True):
        largest = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=piece.tolerance * largest)


@pytest.mark.parametrize("queries", [256, 257, 512, 513])
def test_attention_in_halves_is_attention(queries):
    rng = np.random.default_rng(0)
    qkv = [rng.normal(size=(1, 2, n, 8)).astype(np.float32) for n in (queries, 50, 50)]

    def both(attend):
        @jax.jit
        def attended(*qkv):
            value, backward = jax.vjp(attend, *qkv)
            weights = np.linspace(-1, 1, value.size, dtype=np.float32)
            return value, *backward(weights.reshape(value.shape))

        return attended(*qkv)

    fast = both(functools.partial(fast_on_cpu.in_halves, heads_first))
    for actual, expected in zip(fast, both(heads_first), strict=True):
        np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max(), rtol=0)


def _transformer():
    config = WanConfig(24, 1, 2, 32, in_channels=4, out_channels=4, text_dim=8, freq_dim=8)
    shapes = (1, 1, 4, 4, 4), (1, 1), (1, 3, 8)
    return WanTransformer(config, rngs=nnx.Rngs(0)), shapes


def _autoencoder():
    config = WanVAEConfig(4, 4, (0.0,) * 4, (1.0,) * 4, (1, 1, 1, 1), depth=1)
    return WanVAE(config), ((1, 5, 8, 8, 3),)


def _vision_transformer():
    config = DINOv2Config(12, 1, 2, 16, image_size=14 * 18)
    return DINOv2(config, rngs=nnx.Rngs(0)), ((1, 14 * 18, 14 * 18, 3),)


def _vgg():
    return VGG16(widths=(8, 64, 128, 8, 8), rngs=nnx.Rngs(0)), ((1, 16, 16, 3),)


MODELS = {
    "transformer": (_transformer, WanTransformer.__call__, True),
    "autoencoder": (_autoencoder, WanVAE.encode, False),
    "vision transformer": (_vision_transformer, DINOv2.embed, False),
    "VGG16": (_vgg, VGG16.__call__, False),
}


@pytest.fixture
def forbidden(monkeypatch):
    """Every function of `fast_on_cpu` that takes the place of plain code raises an error."""
    for name, function in vars(fast_on_cpu).items():
        if inspect.getmodule(function) is fast_on_cpu and name != "enabled":
            monkeypatch.setattr(
                fast_on_cpu, name, mock.Mock(side_effect=AssertionError("for CPUs alone"))
            )


def _lowered(make, method, gradient, platform):
    made = nnx.eval_shape(lambda: make()[0])
    graph, state = nnx.split(made)
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in make()[1]]

    def forward(state, *inputs):
        return jax.tree.leaves(method(nnx.merge(graph, state), *inputs))

    def loss(state, *inputs):
        return sum(jnp.square(leaf).sum() for leaf in forward(state, *inputs))

    function = jax.jit(jax.grad(loss) if gradient else forward)
    return function.trace(state, *inputs).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("forbidden")
def test_other_platforms_lower_the_plain_code(monkeypatch, model, platform):
    kinds = {"tpu": ("tpu", "TPU v5 lite"), "cuda": ("gpu", "NVIDIA H100 80GB HBM3")}
    device = types.SimpleNamespace(platform=kinds[platform][0], device_kind=kinds[platform][1])
    for module in (fast_on_cpu, attention):
        monkeypatch.setattr(module, "target_device", lambda: device)
    text = _lowered(*MODELS[model], platform)
    assert "dot_general" in text or "convolution" in text


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("forbidden")
def test_cpus_do_not_lower_the_plain_code(model):
    with pytest.raises(AssertionError, match="for CPUs alone"):
        _lowered(*MODELS[model], "cpu")
