"""What a run has left on the disk: its last state, its examples, its losses."""

import json
import pathlib
import struct

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from tensorboardX.proto.event_pb2 import Event

Folder = pathlib.Path | epath.Path  # A run's, on this machine or in a bucket.


def saved_steps(workdir: Folder) -> list[int]:
    """Steps of its checkpoints, in order."""
    paths = (workdir / "checkpoints").glob("*")
    return sorted(int(path.name) for path in paths if path.name.isdigit())


def last_state(workdir: Folder) -> dict[str, np.ndarray]:
    """Name -> array of its last checkpoint, whichever devices of whichever process saved it."""
    path = workdir / "checkpoints" / str(saved_steps(workdir)[-1]) / "state"
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    tree = ocp.Checkpointer(ocp.StandardCheckpointHandler()).restore(
        path if "://" in str(path) else path.resolve(),
        args=ocp.args.StandardRestore(fallback_sharding=here),
    )
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {
        jax.tree_util.keystr(names, simple=True, separator="/"): np.asarray(leaf)
        for names, leaf in leaves
    }


def examples(workdir: Folder) -> list[list[int]]:
    """Rows of the data set that each step used, of all its processes."""
    rows: dict[int, list[int]] = {}
    for path in sorted(workdir.glob("examples*.jsonl")):
        for line in map(json.loads, path.read_text().splitlines()):
            rows[line["step"]] = rows.get(line["step"], []) + line["rows"]
    assert sorted(rows) == list(range(len(rows)))
    return [rows[step] for step in sorted(rows)]


def losses(workdir: Folder) -> dict[int, float]:
    """Number of steps done -> the last loss that was written for it."""
    found = {}
    for path in sorted(workdir.glob("events*"), key=lambda path: path.name):
        data = path.read_bytes()
        while data:
            # A record of TFRecord: length, its checksum, the event, its checksum.
            [length] = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                if value.tag == "loss":
                    found[event.step] = value.simple_value
    return found


def assert_same_state(workdir: Folder, expected: Folder) -> None:
    """Asserts that two runs end in the same state, bit for bit."""
    ours, theirs = last_state(workdir), last_state(expected)
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)
