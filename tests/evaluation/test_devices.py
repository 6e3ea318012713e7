"""Frames shared by eight devices give the numbers of one."""

import jax
import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from painting_jax.evaluation import sets
from painting_jax.evaluation.networks import Networks
from painting_jax.metrics import fid, kid, perceptual
from painting_jax.metrics.lpips import LPIPS, frame_statistics
from painting_jax.metrics.perceptual import CosineDistance
from painting_jax.models.inception import modeling as inception
from painting_jax.models.vgg.modeling import VGG16
from painting_jax.sharding.mesh import make_mesh
from tests.evaluation import tiny_networks
from tests.models.inception.test_modeling import Definition


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    mesh = make_mesh({"data": -1, "fsdp": 1, "tensor": 1, "sequence": 1})
    assert mesh.shape["data"] == 8
    return mesh


def _frames(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 48, 3), np.uint8)


def _alike(shared, alone) -> None:
    def same(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max())

    jax.tree.map(same, shared, alone)


def test_lpips_and_textures_are_the_same(mesh):
    distance = LPIPS(trunk=VGG16(widths=(4, 4, 4, 4, 4), rngs=nnx.Rngs(0)), label="random")
    areas = np.random.default_rng(1).integers(0, 2, (2, 16, 4, 6)).astype(np.float32)
    given = (_frames(16), *areas)
    placed = (jax.device_put(x, NamedSharding(mesh, P("data"))) for x in given)
    shared = frame_statistics(distance, *placed, mesh=mesh)
    assert len(shared.embedded_FD.sharding.device_set) == 8
    _alike(shared, frame_statistics(distance, *given))


@pytest.mark.parametrize("kind", ["clip", "dino"])
def test_clip_and_dino_are_the_same(mesh, kind, tmp_path):
    write = {"clip": tiny_networks.write_clip, "dino": tiny_networks.write_dino}[kind]
    weights = f"{kind}={write(tmp_path)}"
    alone, shared = (tiny_networks.open_backbone(weights, mesh=m) for m in (None, mesh))
    frames_FHWC = _frames(16)
    embedded = (
        perceptual.embed(CosineDistance(backbone.features), frames_FHWC, mesh=backbone.mesh)
        for backbone in (shared, alone)
    )
    _alike(*embedded)
    # As many as no number of devices divides.
    few_NHWC = frames_FHWC[:11]
    _alike(shared(few_NHWC), alone(few_NHWC))
    _alike(shared.maps(few_NHWC), alone.maps(few_NHWC))
    assert len(shared(few_NHWC[:1]).sharding.device_set) == 8


def test_inception_on_eight_devices_is_as_published(mesh, tmp_path, monkeypatch):
    """Against its definition in torch, by the names of pytorch-fid's file."""
    # The smallest that it takes.
    monkeypatch.setattr(inception, "SIDE", 75)
    frames_NHWC = _frames(8)
    pixels = torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2) / 255
    definition = Definition()
    *_, last_NCHW = definition(2 * F.interpolate(pixels, (75, 75), mode="bilinear") - 1)
    safetensors.torch.save_file(definition.weights, tmp_path / "pt_inception.safetensors")
    alexnet = tiny_networks.write_alexnet(tmp_path / "alexnet.safetensors")
    names = [f"lpips=alex:{alexnet}", f"inception={tmp_path / 'pt_inception.safetensors'}"]
    networks = Networks.open(names, mesh)
    assert networks.labels == {"distance": "LPIPS (AlexNet)", "features": "Inception v3"}
    assert networks.proxies == ()
    shared_ND = perceptual.embed(networks.features, frames_NHWC, mesh=mesh)
    assert len(shared_ND.sharding.device_set) == 8
    _alike(shared_ND, last_NCHW.mean((2, 3)).numpy())


def test_streamed_statistics_are_the_same(mesh):
    rng = np.random.default_rng(0)
    features_BND = rng.normal(0.4, 1, (3, 16, 12)).astype(np.float32)
    progress_N = np.linspace(0, 1, 16, dtype=np.float32)
    mask_N = np.arange(16) < 13

    def streamed(place):
        moments, frames = fid.empty(12), sets.empty(2, 12, capacity=20)
        for batch, features_ND in enumerate(features_BND):
            priority_N = kid.priorities([f"{batch}/{n}" for n in range(16)])
            given = [place(x) for x in (features_ND, progress_N, priority_N, mask_N)]
            moments = fid.add(moments, given[0], given[-1])
            frames = sets.add(frames, *given)
        return moments, frames

    shared = streamed(lambda x: jax.device_put(x, NamedSharding(mesh, P("data"))))
    _alike(shared, streamed(lambda x: x))


def test_weights_of_lpips_are_placed_once_on_every_device(mesh, tmp_path):
    weights = tiny_networks.write_alexnet(tmp_path / "alexnet.safetensors")
    backbone = tiny_networks.open_backbone(f"lpips=alex:{weights}", mesh=mesh)
    trunks = (backbone.features.trunk, backbone.distance.trunk)
    for one, other in zip(*(jax.tree.leaves(nnx.state(trunk)) for trunk in trunks), strict=True):
        assert one is other
        assert len(one.sharding.device_set) == 8
