"""Meshes of slices: every factorisation is one, and slices are divided by data and fsdp."""

import dataclasses
import itertools
import math

import pytest

from painting_jax.errors import UserError
from painting_jax.sharding.mesh import AXES, make_mesh


@dataclasses.dataclass(frozen=True)
class Chip:
    """What JAX needs to know of a TPU device to arrange it."""

    id: int
    coords: tuple[int, int, int]
    device_kind: str
    slice_index: int = 0
    process_index: int = 0
    core_on_chip: int = 0
    platform: str = "tpu"


def _slice(kind: str, sides: tuple[int, int, int], slices: int = 1) -> list[Chip]:
    places = list(itertools.product(*map(range, sides[::-1])))
    return [
        Chip(n * len(places) + i, place[::-1], kind, n)
        for n in range(slices)
        for i, place in enumerate(places)
    ]


def _factorisations(count: int, parts: int):
    if parts == 1:
        yield (count,)
        return
    for first in (n for n in range(1, count + 1) if count % n == 0):
        yield from ((first, *rest) for rest in _factorisations(count // first, parts - 1))


@pytest.mark.parametrize(
    ("kind", "sides"),
    [
        ("TPU v5", (2, 2, 1)),
        ("TPU v5", (4, 4, 4)),
        ("TPU v5 lite", (4, 4, 1)),
        ("TPU v5 lite", (8, 8, 1)),
        ("TPU v6 lite", (8, 8, 1)),
    ],
)
def test_every_factorisation_of_a_slice_is_a_mesh(kind, sides):
    devices = _slice(kind, sides)
    for shape in _factorisations(math.prod(sides), len(AXES)):
        mesh = make_mesh(dict(zip(AXES, shape, strict=True)), devices)
        assert tuple(mesh.shape.values()) == shape
        assert {device.id for device in mesh.devices.flat} == set(range(len(devices)))


@pytest.mark.parametrize(
    "sizes",
    [
        {"data": 2, "fsdp": 16},
        {"fsdp": 32},
        {"data": 4, "fsdp": 4, "sequence": 2},
        {"fsdp": 8, "tensor": 4},
    ],
)
def test_only_data_and_fsdp_cross_between_slices(sizes):
    devices = _slice("TPU v5 lite", (4, 4, 1), slices=2)
    mesh = make_mesh(sizes, devices)
    assert mesh.size == len(devices)
    for group in mesh.devices.reshape(-1, mesh.shape["tensor"] * mesh.shape["sequence"]):
        assert len({device.slice_index for device in group}) == 1


def test_slices_that_data_and_fsdp_do_not_divide_are_refused():
    devices = _slice("TPU v5 lite", (4, 4, 1), slices=2)
    with pytest.raises(UserError, match="data x fsdp must be a multiple of 2"):
        make_mesh({"tensor": 8, "sequence": 4}, devices)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"data": 3}, "needs 3 devices, there are 8"),
        ({"data": -1, "fsdp": -1}, "one of them may be -1"),
        ({"tensor": 0}, "each must be positive"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, said):
    with pytest.raises(UserError, match=said):
        make_mesh(sizes)
