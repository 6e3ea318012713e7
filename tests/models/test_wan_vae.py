"""The autoencoders against diffusers' AutoencoderKLWan on the same random weights."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan
from flax import nnx

from painting_jax.models import wan_vae
from painting_jax.weights.wan_vae import DIFFUSERS, config_of

TINY = {"base_dim": 4, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 1}
WAN21 = TINY | {"z_dim": 4, "latents_mean": [-0.7, 0.1, 0.3, 0], "latents_std": [2.8, 1.4, 0.5, 1]}
WAN22 = TINY | {
    "decoder_base_dim": 8,
    "z_dim": 6,
    "latents_mean": [-0.2, 0, -0.1, 0.2, 0.1, 0.3],
    "latents_std": [0.4, 1, 0.5, 1.1, 0.6, 0.7],
    "is_residual": True,
    "patch_size": 2,
    "in_channels": 12,
    "out_channels": 12,
    "scale_factor_spatial": 16,
}
PICTURE = {"wan21": (16, 24), "wan22": (32, 48)}


def reference(config: dict) -> AutoencoderKLWan:
    torch.manual_seed(0)
    model = AutoencoderKLWan(**config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Norm weights and biases away from their neutral start, so that a missing one shows.
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def copy_weights(source: AutoencoderKLWan) -> wan_vae.WanVAE:
    config = config_of(dict(source.config))
    model = nnx.eval_shape(lambda: wan_vae.WanVAE(config, rngs=nnx.Rngs(0)))
    graph, state = nnx.split(model)
    tensors = {}
    for name, tensor in source.state_dict().items():
        for pattern, path, transform in DIFFUSERS:
            if match := re.fullmatch(pattern, name):
                tensors[match.expand(path)] = transform(tensor.numpy())
                break

    def take(path, leaf):
        array = tensors.pop(".".join(str(entry.key) for entry in path))
        assert array.shape == leaf.shape, path
        return jnp.asarray(array)

    state = jax.tree_util.tree_map_with_path(take, nnx.to_pure_dict(state))
    assert not tensors, "every tensor of the reference has its place"
    return nnx.merge(graph, state)


@pytest.fixture(scope="module", params=["wan21", "wan22"])
def pair(request) -> tuple[AutoencoderKLWan, wan_vae.WanVAE, tuple[int, int]]:
    theirs = reference({"wan21": WAN21, "wan22": WAN22}[request.param])
    return theirs, copy_weights(theirs), PICTURE[request.param]


encode = nnx.jit(lambda model, video: model.encode(video))
decode = nnx.jit(lambda model, latents: model.decode(latents))


def test_x(pair):
    theirs, ours, picture = pair
    import time
    rng = np.random.default_rng(0)
    for frames in (1, 5, 9, 13):
        t=time.time()
        video = rng.uniform(-1, 1, (2, frames, *picture, 3)).astype(np.float32)
        with torch.no_grad():
            expected = theirs.encode(torch.from_numpy(video).permute(0, 4, 1, 2, 3)).latent_dist.mode().permute(0,2,3,4,1).numpy()
        t1=time.time()
        actual = wan_vae.denormalise(encode(ours, video), ours.config)
        t2=time.time()
        e1=np.abs(actual-expected).max()/np.abs(expected).max()
        z = rng.normal(size=expected.shape).astype(np.float32)
        with torch.no_grad():
            expected = theirs.decode(torch.from_numpy(np.asarray(wan_vae.denormalise(z, ours.config))).permute(0, 4, 1, 2, 3)).sample.permute(0,2,3,4,1).numpy()
        t3=time.time()
        actual = decode(ours, z)
        t4=time.time()
        e2=np.abs(actual-expected).max()/np.abs(expected).max()
        print(frames, e1, e2, "torch",t1-t,t3-t2,"jax",t2-t1,t4-t3, np.abs(expected).mean(), (np.abs(expected)==1).mean())
