"""Measures the host memory that loading a large model takes, with a file of random weights.

The measured value is the peak beyond the loaded parameters. On a CPU, host memory also holds the
parameters themselves.
"""

import functools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks.timing import Row
from painting_jax.checkpoints import save
from painting_jax.checkpoints.load import flat, load_params
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import spellings
from painting_jax.models.wan import params as wan
from painting_jax.models.wan.params import diffusers_config, wan_config
from painting_jax.models.wan.transformer import SIZES, WanConfig, WanTransformer
from painting_jax.sharding.mesh import make_mesh

_DTYPE = jnp.dtype("bfloat16")
_STATUS = pathlib.Path("/proc/self/status")
_FORGET_PEAK = pathlib.Path("/proc/self/clear_refs")


def measure(size: str, folder: str | None, tell: Callable[[str], None]) -> list[Row]:
    """Writes random weights, loads them in another process, and measures memory and time.

    Args:
      size: A key of `SIZES`.
      folder: Folder for the weights; None = the system's temporary folder.
      tell: Called with a description of each stage.

    Raises:
      UserError: If the size is unknown, or the system does not report peak memory.
    """
    if size not in SIZES:
        raise UserError(f"--size={size}: {', '.join(SIZES)} are known")
    if not _FORGET_PEAK.exists():
        raise UserError("the peak of a process's memory is known on Linux alone: measure there")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        weights = pathlib.Path(temporary) / "transformer"
        tell(f"writing random weights of {size}")
        write(SIZES[size], weights)
        tell("loading them")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.loading", str(weights)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout)
    gib = {name: value / 2**30 for name, value in found.items()}
    note = f"{size}, {found['tensors']} tensors, the largest of {gib['largest']:.2f} GiB"
    return [
        Row("parameters", "GiB", [gib["resident"]], f"{note}, as {_DTYPE.name} but for norms"),
        Row("host's peak beyond them", "GiB", [gib["beyond"]], "programs compiled included"),
        Row("loading", "s", [found["seconds"]], "from the file system's cache, if it fits"),
    ]


def write(config: WanConfig, folder: pathlib.Path) -> None:
    """Writes a transformer's folder whose tensors all repeat the same random numbers."""
    numbers = np.random.default_rng(0).normal(size=1 << 20).astype(_DTYPE)
    shapes = nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: _make(config)), nnx.Param))
    tensors = {}
    for path, leaf in flat(shapes).items():
        spelling = spellings(wan.DIFFUSERS)[path]
        stacked = "{layer}" in spelling.name
        shape = spelling.transform.their_shape(leaf.shape[1:] if stacked else leaf.shape)
        for layer in range(leaf.shape[0]) if stacked else [None]:
            resized = functools.partial(np.resize, numbers, shape)
            tensors[spelling.of(layer)] = PendingTensor(_DTYPE, shape, resized)
    save.write_folder(tensors, folder, diffusers_config(config), stem="diffusion_pytorch_model")


def _make(config: WanConfig) -> WanTransformer:
    return WanTransformer(config, rngs=nnx.Rngs(0))


def _load(folder: str) -> dict[str, float]:
    """Loads a transformer, and returns the memory and time it took, in bytes and seconds."""
    source = open_source(folder)
    config = wan_config(source)
    mesh = make_mesh({"data": -1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
    before, start = _status("VmRSS"), time.monotonic()
    _FORGET_PEAK.write_text("5")
    model = nnx.eval_shape(lambda: _make(config))
    params = load_params(model, source, wan.RULES, mesh=mesh, dtype=_DTYPE, float32=wan.FLOAT32)
    jax.block_until_ready(params)
    resident = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    on_host = resident if jax.default_backend() == "cpu" else 0
    return {
        "resident": resident,
        "beyond": _status("VmHWM") - before - on_host,
        "seconds": time.monotonic() - start,
        "tensors": len(source.tensors),
        "largest": max(tensor.nbytes for tensor in source.tensors.values()),
    }


def _status(field: str) -> int:
    """A memory field of this process's status on Linux, in bytes."""
    return 1024 * int(_STATUS.read_text().split(f"{field}:")[1].split()[0])


if __name__ == "__main__":
    print(json.dumps(_load(sys.argv[1])))
