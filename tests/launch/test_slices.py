"""Accelerators by name, and the experiments that fit on them."""

import re

import pytest

from configs import demo
from launch import slices
from painting_jax.errors import UserError


@pytest.mark.parametrize(
    ("name", "count", "hosts", "chips", "devices"),
    [
        ("v5p:2x2x1", 1, 1, 4, 4),
        ("v5p:4x4x4", 1, 16, 4, 64),
        ("v5p:4x8x12", 1, 96, 4, 384),
        ("v5e:1x1", 1, 1, 1, 1),
        ("v5e:16x16", 1, 64, 4, 256),
        ("v6e:4x8", 2, 8, 4, 64),
        # Each chip is two devices.
        ("tpu7x:2x2x2", 1, 2, 4, 16),
        ("tpu7x:1x1x1", 1, 1, 1, 2),
        ("l4:2", 1, 1, 2, 2),
        ("h100:2x8", 1, 2, 8, 16),
        ("gpu:3x6", 1, 3, 6, 18),
    ],
)
def test_hosts_and_devices_of_accelerators(name, count, hosts, chips, devices):
    found = slices.find(name, count)
    assert (found.hosts, found.chips, found.devices) == (hosts, chips, devices)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v5p:4x4x5", "topologies of v5p are 2x2x1, 2x2x2, 2x2x4, 2x4x4, or AxBxC in multiples"),
        ("v5p:8x4x4", "A<=B<=C"),
        ("v5p:64x64x64", "at most 8960 chips"),
        ("v6e:3x3", "topologies of v6e are 1x1, 2x2, 2x4, 4x4, 4x8, 8x8, 8x16, 16x16"),
        ("tpu7x:2x2", "topologies of tpu7x are 1x1x1, 2x2x1"),
        # Google's own name of it, which counts cores.
        ("v5p-128", "v5p:TOPOLOGY"),
        ("moon:1", "with one of l4, a100"),
        ("h100:16", "nodes with h100 have 1, 2, 4, 8 GPUs"),
        ("h100:", "h100:GPUS or h100:NODESxGPUS"),
        ("h200:4", "nodes with h200 have 8 GPUs"),
    ],
)
def test_accelerators_that_do_not_exist_are_refused_with_those_that_do(name, said):
    with pytest.raises(UserError, match=re.escape(said)):
        slices.find(name)


def test_only_tpus_have_slices():
    with pytest.raises(UserError, match="--slice_count=2: GPUs have no slices"):
        slices.find("h100:8", 2)
    with pytest.raises(UserError, match="--slice_count=0"):
        slices.find("v5p:4x4x4", 0)


def _config(**mesh: int):
    config = demo.get_config()
    config.data.batch_size = 64
    config.mesh.update(mesh)
    return config


def test_an_experiment_that_fits_passes():
    slices.check(_config(), slices.find("v5p:4x4x4"))
    slices.check(_config(fsdp=4, tensor=2), slices.find("tpu7x:2x2x2"))
    slices.check(_config(), slices.find("v6e:4x4", 2))


@pytest.mark.parametrize(
    ("mesh", "name", "count", "said"),
    [
        ({"data": 4}, "v5p:2x2x2", 1, "on v5p:2x2x2 (8 devices): mesh {'data': 4"),
        ({"data": 4}, "tpu7x:2x2x1", 1, "needs 4 devices, there are 8"),
        ({"tensor": 3}, "h100:8", 1, "there are 8"),
        ({"tensor": 64}, "v5p:4x4x4", 1, "must divide"),
        ({}, "v5p:4x4x8", 1, "config.data.batch_size=64: it must be a multiple of 128"),
        ({"data": 1, "tensor": 4, "sequence": 8}, "v6e:4x4", 2, "must be a multiple of 2"),
    ],
)
def test_a_mesh_that_does_not_match_the_devices_is_refused(mesh, name, count, said):
    with pytest.raises(UserError, match=re.escape(said)):
        slices.check(_config(**mesh), slices.find(name, count))
