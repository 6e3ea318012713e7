"""Frames shared by eight devices give the numbers of one."""

import jax
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from painting_jax.evaluation import backbones
from painting_jax.metrics import frechet, kernel_distance, look, perceptual, realism
from painting_jax.metrics.lpips import LPIPS
from painting_jax.metrics.similarity import CosineDistance
from painting_jax.models import inception
from painting_jax.models.features import InceptionFeatures
from painting_jax.models.inception import InceptionV3
from painting_jax.models.vgg import VGG16
from painting_jax.sharding.mesh import make_mesh
from tests.evaluation import tiny_networks


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
    shared = look.look(distance, *placed, mesh=mesh)
    assert len(shared.embedded_FD.sharding.device_set) == 8
    _alike(shared, look.look(distance, *given))


@pytest.mark.parametrize("kind", ["clip", "dino"])
def test_clip_and_dino_are_the_same(mesh, kind, tmp_path):
    write = {"clip": tiny_networks.write_clip, "dino": tiny_networks.write_dino}[kind]
    weights = f"{kind}={write(tmp_path)}"
    alone, shared = (backbones.open_backbone(weights, mesh=m) for m in (None, mesh))
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


def test_inception_is_the_same(mesh, monkeypatch):
    # The smallest that it takes.
    monkeypatch.setattr(inception, "SIDE", 75)
    graph, shapes = nnx.split(nnx.eval_shape(lambda: InceptionV3(rngs=nnx.Rngs(0))))
    rng = np.random.default_rng(0)

    def random(leaf):
        fan = max(1, np.prod(leaf.shape[:-1]))
        return np.abs(rng.normal(0, fan**-0.5, leaf.shape)).astype(np.float32)

    network = nnx.merge(graph, jax.tree.map(random, shapes))
    features = InceptionFeatures(network, label="random")
    embed = nnx.jit(
        lambda features, frames_NHWC, mesh: perceptual.in_batches(
            lambda network, frames_NHWC: network(frames_NHWC), features, frames_NHWC, mesh=mesh
        ),
        static_argnums=2,
    )
    frames_NHWC = _frames(8)
    _alike(*(embed(features, frames_NHWC, m) for m in (mesh, None)))


def test_streamed_statistics_are_the_same(mesh):
    rng = np.random.default_rng(0)
    features_BND = rng.normal(0.4, 1, (3, 16, 12)).astype(np.float32)
    progress_N = np.linspace(0, 1, 16, dtype=np.float32)
    mask_N = np.arange(16) < 13

    def streamed(place):
        moments, frames = frechet.empty(12), realism.empty(2, 12, capacity=20)
        for batch, features_ND in enumerate(features_BND):
            priority_N = kernel_distance.priorities([f"{batch}/{n}" for n in range(16)])
            given = [place(x) for x in (features_ND, progress_N, priority_N, mask_N)]
            moments = frechet.add(moments, given[0], given[-1])
            frames = realism.add(frames, *given)
        return moments, frames

    shared = streamed(lambda x: jax.device_put(x, NamedSharding(mesh, P("data"))))
    _alike(shared, streamed(lambda x: x))


def test_weights_of_lpips_are_placed_once_on_every_device(mesh, tmp_path):
    weights = tiny_networks.write_alexnet(tmp_path / "alexnet.safetensors")
    backbone = backbones.open_backbone(f"lpips=alex:{weights}", mesh=mesh)
    trunks = (backbone.features.trunk, backbone.distance.trunk)
    for one, other in zip(*(jax.tree.leaves(nnx.state(trunk)) for trunk in trunks), strict=True):
        assert one is other
        assert len(one.sharding.device_set) == 8
