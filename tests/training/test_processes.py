"""Meshes whose axes span several computer processes: each trains on the batch that one would."""

import json
import pathlib

import pytest

from tests import forks
from tests.conftest import TINY
from tests.training import on_processes
from tests.training.on_processes import config_of, measure

# Of 8 devices: within a process lie those of the last axes.
_MESHES = {
    2: [{"tensor": 2, "sequence": 4}],
    4: [{"data": 2, "sequence": 4}],
}
# Each process compiles: the least model that has a transformer.
_CHANGES = TINY | {"model.layers": 1, "model.pixel_layers": 0, "objective.structure": 0.0}


def _on_processes(data_dir: str, count: int, folder: pathlib.Path) -> list[list[dict]]:
    """What each process found, for each mesh."""
    address, meshes = forks.free_address(), _MESHES[count]
    programs = [
        forks.start(
            *(on_processes.main, address, count, index, data_dir, _CHANGES, meshes),
            folder=folder / str(index),
            devices=8 // count,
        )
        for index in range(count)
    ]
    assert [one.status() for one in programs] == [0] * count, [one.errors for one in programs]
    # Gloo prints lines of its own.
    lines = [[line for line in one.out.splitlines() if '"rows"' in line] for one in programs]
    return [json.loads(line[line.index("[{") :]) for [line] in lines]


@pytest.mark.parametrize("count", [2, 4])
def test_axes_that_span_processes_train_on_the_batch_of_one_process(painted_dir, tmp_path, count):
    found = _on_processes(str(painted_dir), count, tmp_path)
    config = config_of(str(painted_dir), _CHANGES)
    for mesh, on_each in zip(_MESHES[count], zip(*found, strict=True), strict=True):
        alone = measure(config, mesh)
        assert alone["rows"] == list(range(TINY["data.batch_size"]))
        for process in on_each:
            assert process["ids"] == alone["ids"], mesh
            assert process["pixels"] == alone["pixels"], mesh
            assert process["losses"] == pytest.approx(alone["losses"], rel=1e-5)
            assert process["gradients"] == pytest.approx(alone["gradients"], rel=1e-4)
        held = sorted({row for process in on_each for row in process["rows"]})
        assert held == alone["rows"]
