"""Each published variant in miniature: diffusers' outputs, and gradients of what goes in."""

import dataclasses

import jax
import numpy as np
import pytest
import torch
from flax import nnx

from painting_jax.models.wan import transformer as wan
from tests.models.wan.test_transformer import copy_weights, reference

# With the channels that are published; odd numbers of heads, of widths that do not split evenly.
VARIANTS = {
    "wan21_i2v_14b": {"in_channels": 36, "image_dim": 20, "heads": 3, "dim": 48},
    "wan21_t2v_14b": {"in_channels": 16, "heads": 5, "dim": 50},
    "wan22_i2v_a14b": {"in_channels": 36, "heads": 1, "dim": 14},
    "wan22_ti2v_5b": {"in_channels": 48, "heads": 7, "dim": 84},
}
# Frames of the video, height and width of the latents, tokens of each sample's prompt.
VIDEOS = [
    (1, (4, 6), (512,)),
    (5, (10, 4), (3, 400)),
    (9, (2, 8), (1,)),
    (13, (6, 4), (77, 9)),
]


# To compile takes long: each variant on two videos, and gradients of those that have all the parts.
CASES = [
    pytest.param(variant, VIDEOS[(place + more) % len(VIDEOS)], id=f"{variant}-{more}")
    for place, variant in enumerate(VARIANTS)
    for more in (0, 1)
]
DIFFERENTIATED = (("wan21_i2v_14b", 5), ("wan22_ti2v_5b", 13))


@dataclasses.dataclass(frozen=True)
class Pair:
    """A variant of diffusers' transformer and ours with the same weights."""

    config: wan.WanConfig
    theirs: torch.nn.Module
    ours: wan.WanTransformer


@pytest.fixture(scope="module")
def pairs():
    made = {}

    def pair(variant: str) -> Pair:
        if variant not in made:
            sizes = {"layers": 2, "ffn_dim": 40, "text_dim": 24, "freq_dim": 32} | VARIANTS[variant]
            out = 48 if variant == "wan22_ti2v_5b" else 16
            config = wan.WanConfig(**sizes, out_channels=out)
            theirs = reference(config)
            made[variant] = Pair(config, theirs, copy_weights(theirs, config))
            made[variant].ours.remat = "none"  # which would be compiled, too
        return made[variant]

    return pair


def given(config: wan.WanConfig, video) -> dict[str, np.ndarray]:
    """Arguments of our transformer."""
    frames, size, prompts = video
    rng = np.random.default_rng(frames)
    length, batch = 1 + frames // 4, len(prompts)
    text_BLD = rng.normal(size=(batch, 512, config.text_dim))
    for row, tokens in enumerate(prompts):
        text_BLD[row, tokens:] = 0
    timestep_BF = rng.uniform(1, 999, (batch, 1))
    if config.in_channels == config.out_channels == 48:
        # One a token: none on the first frame, which is the picture.
        timestep_BF = timestep_BF * (np.arange(length) > 0)
    arrays = {
        "latents_BTHWC": rng.normal(size=(batch, length, *size, config.in_channels)),
        "timestep_BF": timestep_BF,
        "text_BLD": text_BLD,
    }
    if config.image_dim:
        arrays["image_BLD"] = rng.normal(size=(batch, 257, config.image_dim))
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def theirs_of(pair: Pair, arrays: dict) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """diffusers' output, gradients of the arguments, and what the output was weighted by."""
    tensors = {
        name: torch.from_numpy(array).requires_grad_(name != "timestep_BF")
        for name, array in arrays.items()
    }
    latents_BTHWC, timestep = tensors["latents_BTHWC"], tensors["timestep_BF"]
    tokens = latents_BTHWC.shape[2] * latents_BTHWC.shape[3] // 4
    per_token = timestep.shape[1] > 1 or pair.config.in_channels == 48
    out = pair.theirs(
        hidden_states=latents_BTHWC.permute(0, 4, 1, 2, 3),
        timestep=timestep.repeat_interleave(tokens, 1) if per_token else timestep[:, 0],
        encoder_hidden_states=tensors["text_BLD"],
        encoder_hidden_states_image=tensors.get("image_BLD"),
    ).sample.permute(0, 2, 3, 4, 1)
    weight = np.random.default_rng(0).normal(size=out.shape).astype(np.float32)
    (out * torch.from_numpy(weight)).sum().backward()
    gradients = {name: x.grad.numpy() for name, x in tensors.items() if x.grad is not None}
    return out.detach().numpy(), gradients, weight


@nnx.jit
def forward(model: wan.WanTransformer, arrays: dict):
    return model(**arrays)


@nnx.jit
def gradients(model: wan.WanTransformer, arrays: dict, weight: np.ndarray):
    def weighted(arrays):
        out = model(**arrays)
        return (out * weight).sum(), out

    return jax.grad(weighted, has_aux=True)(arrays)


def assert_close(actual, expected: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(("variant", "video"), CASES)
def test_outputs_and_gradients_of_the_inputs_equal_diffusers(pairs, variant, video):
    pair = pairs(variant)
    arrays = given(pair.config, video)
    expected, expected_gradients, weight = theirs_of(pair, arrays)
    if (variant, video[0]) not in DIFFERENTIATED:
        assert_close(forward(pair.ours, arrays), expected, 1e-5)
        return
    actual_gradients, out = gradients(pair.ours, arrays, weight)
    assert_close(out, expected, 1e-5)
    assert expected_gradients.keys() >= {"latents_BTHWC", "text_BLD"}
    for name, gradient in expected_gradients.items():
        assert np.abs(gradient).max() > 0
        assert_close(actual_gradients[name], gradient, 1e-4)
