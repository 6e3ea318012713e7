"""Meshes whose axes span several computer processes: each trains on the batch that one would."""

import json
import socket
import subprocess
import sys

import pytest

from tests import compiler, tiny
from tests.conftest import TINY
from tests.training.on_processes import config_of, measure

# Of 8 devices: within a process lie those of the last axes.
_MESHES = {
    2: [{"tensor": 2, "sequence": 4}],
    4: [{"data": 2, "sequence": 4}],
}
# Each process compiles: the least model that has a transformer.
_CHANGES = TINY | {"model.layers": 1, "model.pixel_layers": 0, "objective.structure": 0.0}


def _on_processes(data_dir: str, count: int) -> list[list[dict]]:
    """What each process found, for each mesh."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    rest = (str(data_dir), json.dumps(_CHANGES), json.dumps(_MESHES[count]))
    environment = tiny.environment(XLA_FLAGS=compiler.flags(devices=8 // count))
    programs = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.training.on_processes",
                address,
                str(count),
                str(n),
                *rest,
            ],
            cwd=tiny.ROOT,
            env=environment | {"JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(count)
    ]
    outputs = [program.communicate(timeout=300) for program in programs]
    assert [program.returncode for program in programs] == [0] * count, outputs
    # Gloo prints lines of its own.
    lines = [[line for line in out.splitlines() if '"rows"' in line] for out, _ in outputs]
    return [json.loads(line[line.index("[{") :]) for [line] in lines]


@pytest.mark.parametrize("count", [2, 4])
def test_axes_that_span_processes_train_on_the_batch_of_one_process(painted_dir, count):
    found = _on_processes(painted_dir, count)
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
