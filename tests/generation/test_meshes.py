"""Painting is the same on any mesh, and its devices share the pictures and the tokens."""

import functools

import jax
import numpy as np
import pytest

from painting_jax.diffusion.step_cache import StepCache
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.pretrained import _spans
from painting_jax.sharding.mesh import make_mesh
from tests import tiny_sampler

_HOW = tiny_sampler.how(steps=6)
_PICTURES = 4
# Devices along the axes, and groups of the ring.
_MESHES = {
    "ring": ({"fsdp": 2, "sequence": 4}, 4),
    "all": ({"data": 2, "tensor": 2, "sequence": 2}, 0),
}


@functools.cache
def _on_one_device() -> np.ndarray:
    return np.asarray(tiny_sampler.sampled(_HOW, batch=_PICTURES).state)


@pytest.mark.parametrize("name", _MESHES)
def test_every_mesh_paints_as_one_device_does_and_shares_the_pictures(name):
    sizes, ring = _MESHES[name]
    latents = tiny_sampler.sampled(_HOW, make_mesh(sizes), ring=ring, batch=_PICTURES).state
    np.testing.assert_allclose(latents, _on_one_device(), atol=1e-5)
    rows = [shard.index[0].indices(_PICTURES) for shard in latents.addressable_shards]
    assert set(rows) == {(0, 2, 1), (2, 4, 1)}


def test_steps_are_skipped_on_a_mesh_as_on_one_device():
    meshes = (None, make_mesh({"data": 2, "sequence": 4}))
    made = []
    for mesh in meshes:
        cache = StepCache(0.01)
        # The first is painted in full.
        made += [tiny_sampler.sampled(_HOW, mesh, batch=_PICTURES, cache=cache) for _ in range(2)]
    full, alone, full_on_mesh, on_mesh = made
    np.testing.assert_allclose(full.state, _on_one_device(), atol=1e-5)
    np.testing.assert_allclose(full_on_mesh.state, _on_one_device(), atol=1e-5)
    assert alone.skipped == on_mesh.skipped > 0
    np.testing.assert_allclose(on_mesh.state, alone.state, atol=1e-5)


def test_a_flag_describes_the_devices():
    devices = Devices.of("fsdp=2, sequence=4,ring=2", {})
    assert dict(devices.mesh.shape) == {"data": 1, "fsdp": 2, "tensor": 1, "sequence": 4}
    assert (devices.ring, devices.pictures) == (2, 2)
    assert Devices.of(None, {"tensor": -1}).mesh.shape["tensor"] == jax.device_count()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sequence",
        "rings=2",
        "sequence=two",
        "sequence=4;data=2",
        "data=2,data=1",
        "data=" + 5000 * "9",
    ],
)
def test_another_text_is_refused_in_a_line_that_shows_how(text):
    with pytest.raises(UserError, match=r"^--mesh=.*: write a size of each of data, .*, as in "):
        Devices.of(text, {})


@pytest.mark.parametrize(("ring", "heads"), [(3, 12), (8, 12), (1, 6)])
def test_a_ring_that_does_not_fit_the_heads_is_refused(ring, heads):
    mesh = make_mesh({"data": 2, "sequence": 4})
    with pytest.raises(UserError, match=rf"^--mesh: ring={ring} must be "):
        Devices(mesh, ring).check(heads)
    Devices(mesh, 4).check(heads)


def test_pictures_of_one_shape_are_painted_together():
    shapes = [(1, 8, 8, 3), (1, 8, 8, 3), (1, 8, 8, 3), (1, 4, 8, 3), (1, 8, 8, 3)]
    batches = [{"reference_BHWC": np.zeros(shape)} for shape in shapes]
    assert _spans(batches, 2) == [range(0, 2), range(2, 3), range(3, 4), range(4, 5)]
    assert _spans(batches, 1) == [range(n, n + 1) for n in range(5)]
