"""The autoencoders against diffusers' AutoencoderKLWan on the same random weights."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan
from flax import nnx

from painting_jax.models.wan import vae as wan_vae
from painting_jax.models.wan.causal_conv import CausalConv
from painting_jax.models.wan.vae_params import config_of, diffusers
from painting_jax.sharding.mesh import make_mesh
from tests.checkpoints.filling import fill, random_reference

TINY = {"base_dim": 4, "num_res_blocks": 1}
CONFIGS = {
    "wan21": TINY
    | {"z_dim": 4, "latents_mean": [-0.7, 0.1, 0.3, 0], "latents_std": [2.8, 1.4, 0.5, 1]},
    "wan22": TINY
    | {
        "decoder_base_dim": 8,
        "z_dim": 6,
        "latents_mean": [-0.2, 0, -0.1, 0.2, 0.1, 0.3],
        "latents_std": [0.4, 1, 0.5, 1.1, 0.6, 0.7],
        "is_residual": True,
        "patch_size": 2,
        "in_channels": 12,
        "out_channels": 12,
        "scale_factor_spatial": 16,
    },
}
DEFAULTS = {"dim_mult": [1, 2, 4, 4], "temperal_downsample": [False, True, True]}


def reference(config: dict) -> AutoencoderKLWan:
    return random_reference(lambda: AutoencoderKLWan(**config))


class Pair:
    """diffusers' autoencoder, and ours with the same weights."""

    def __init__(self, variant: str):
        self.theirs = reference(CONFIGS[variant])
        self.config = config_of(self.theirs.config)
        self.ours = fill(
            lambda: wan_vae.WanVAE(self.config), diffusers(self.config), self.theirs.state_dict()
        )
        self.graph, self.state = nnx.split(self.ours)
        self._both = jax.jit(self._encoded_and_decoded)

    def _encoded_and_decoded(self, state, video, latents):
        model = nnx.merge(self.graph, state)
        return model.encode(video), model.decode(latents)

    def both(self, video, latents) -> tuple[np.ndarray, np.ndarray]:
        """Latents of a video, and the video of latents, as one program."""
        arguments = self.state, video, latents
        return tuple(map(np.asarray, self._both(*arguments)))

    def their_encode(self, video):
        with torch.no_grad():
            mean = self.theirs.encode(_channels_first(video)).latent_dist.mode()
        return (_channels_last(mean) - self.config.latents_mean) / self.config.latents_std

    def their_decode(self, latents):
        z = latents * self.config.latents_std + self.config.latents_mean
        with torch.no_grad():
            return _channels_last(self.theirs.decode(_channels_first(z)).sample)


def _channels_first(x_BTHWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x_BTHWC.astype(np.float32)).permute(0, 4, 1, 2, 3)


def _channels_last(x_BCTHW: torch.Tensor) -> np.ndarray:
    return x_BCTHW.permute(0, 2, 3, 4, 1).numpy()


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


@pytest.fixture(scope="module", params=list(CONFIGS))
def pair(request) -> Pair:
    return Pair(request.param)


@pytest.mark.parametrize("frames", [1, 5, 9, 13])
def test_encodes_and_decodes_like_diffusers(pair, frames):
    rng = np.random.default_rng(frames)
    height, width = 2 * pair.ours.spatial, 3 * pair.ours.spatial
    video = rng.uniform(-1, 1, (2, frames, height, width, 3)).astype(np.float32)
    shape = (2, 1 + frames // 4, 2, 3, pair.ours.channels)
    latents = rng.normal(size=shape).astype(np.float32)
    encoded, decoded = pair.both(video, latents)
    assert (encoded.shape, decoded.shape) == (shape, video.shape)
    assert_close(encoded, pair.their_encode(video))
    assert_close(decoded, pair.their_decode(latents))


@pytest.mark.parametrize("variant", list(CONFIGS))
def test_compiled_size_does_not_grow_with_the_number_of_frames(variant):
    config = config_of(DEFAULTS | CONFIGS[variant])
    graph, state = nnx.split(nnx.eval_shape(lambda: wan_vae.WanVAE(config)))

    def both(state, video):
        return nnx.merge(graph, state).decode(nnx.merge(graph, state).encode(video))

    def hlo_lines(frames):
        video = jax.ShapeDtypeStruct((1, frames, 32, 48, 3), jnp.float32)
        return jax.jit(both).lower(state, video).as_text().count("\n")

    assert hlo_lines(9) == hlo_lines(33)


def test_computes_in_the_dtype_asked_for_and_returns_float32():
    config = config_of(DEFAULTS | CONFIGS["wan22"])
    graph, state = nnx.split(nnx.eval_shape(lambda: wan_vae.WanVAE(config, dtype=jnp.bfloat16)))
    latents = jax.ShapeDtypeStruct((1, 2, 2, 3, config.latent_channels), jnp.float32)
    program = jax.make_jaxpr(lambda state, z: nnx.merge(graph, state).decode(z))(state, latents)
    convolved = re.findall(r":(\w+)\[[\d,]+\] = conv_general_dilated", str(program))
    assert set(convolved) == {"bf16"}
    assert [out.dtype for out in program.out_avals] == [jnp.float32]


@pytest.mark.parametrize("shape", [(4, 16, 24), (5, 20, 24), (5, 16, 20)])
def test_what_does_not_fit_is_refused(shape):
    model = nnx.eval_shape(lambda: wan_vae.WanVAE(wan_vae.SIZES["wan21"]))
    with pytest.raises(ValueError, match=r"one more than a multiple of 4, .* multiples of 8"):
        model.encode(jax.ShapeDtypeStruct((1, *shape, 3), jnp.float32))


@pytest.mark.parametrize(("frames", "chunk"), [(1, 4), (5, 4), (9, 2), (13, 1)])
def test_chunk_by_chunk_equals_the_whole_video_at_once(frames, chunk):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 3, 2, 3)).astype(np.float32)
    bias = rng.normal(size=3).astype(np.float32)
    video = rng.normal(size=(2, frames, 4, 5, 2)).astype(np.float32)
    with torch.no_grad():
        padded = torch.nn.functional.pad(_channels_first(video), (1, 1, 1, 1, 2, 0))
        kernel_OIKRS = torch.from_numpy(kernel.transpose(4, 3, 0, 1, 2).copy())
        whole = torch.nn.functional.conv3d(padded, kernel_OIKRS, torch.from_numpy(bias))
    conv = CausalConv(2, 3, dtype=jnp.float32)
    conv.kernel[...], conv.bias[...] = kernel, bias
    assert_close(np.asarray(wan_vae.over_time(conv, video, chunk)), _channels_last(whole), 1e-5)


@pytest.mark.parametrize(("width", "share"), [(64, 0.3), (40, 1.0)])
def test_devices_along_sequence_share_the_columns_where_they_divide(width, share):
    config = wan_vae.WanVAEConfig(4, 4, (0.0,) * 4, (1.0,) * 4, depth=1)
    graph, shapes = nnx.split(nnx.eval_shape(lambda: wan_vae.WanVAE(config)))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: rng.normal(0, 0.1, x.shape).astype(np.float32), shapes)
    video = rng.uniform(-1, 1, (1, 5, 16, width, 3)).astype(np.float32)

    def there_and_back(params, video):
        vae = nnx.merge(graph, params)
        return vae.decode(vae.encode(video))

    outs, flops = [], []
    for devices in (1, 4):
        with jax.set_mesh(make_mesh({"data": 1, "sequence": devices}, jax.devices()[:devices])):
            compiled = jax.jit(there_and_back).lower(params, video).compile()
            outs.append(np.asarray(compiled(params, video)))
            flops.append(compiled.cost_analysis()["flops"])
    np.testing.assert_allclose(outs[1], outs[0], atol=1e-5 * np.abs(outs[0]).max())
    assert flops[1] <= share * flops[0]
