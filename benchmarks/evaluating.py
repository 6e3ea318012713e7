"""Measures the memory of an evaluation: for ten pairs of videos, and for a thousand.

  python -m benchmarks.evaluating [--pairs=10 --pairs=1000]

Each count is measured in its own process, on small videos of random squares. The network is LPIPS
with a narrow random VGG16, so that a thousand pairs take only minutes. The evaluation holds the
same kinds of data of each video as with the full network, and memory that grows with the number of
videos does not depend on the network's width.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import flags
from flax import nnx

from painting_jax import cli
from painting_jax.data import pictures
from painting_jax.errors import UserError
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.folder_source import FolderSource
from painting_jax.evaluation.measurement import evaluate
from painting_jax.evaluation.methods import Method
from painting_jax.evaluation.networks import Networks
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.vgg.modeling import VGG16

_PAIRS = flags.DEFINE_multi_integer("pairs", [10, 1000], "Pairs of videos; may be repeated.")
_ALONE = flags.DEFINE_bool("alone", False, "Measure the one count in this process.")

_SIDE, _FRAMES = 64, 8


def main() -> None:
    """Prints the peak memory of each count, and the increase from the first to the last."""
    if any(count < 2 for count in _PAIRS.value):
        raise UserError("--pairs must be at least 2")
    if _ALONE.value:
        print(_peak(_PAIRS.value[0]))
        return
    peaks = []
    for count in _PAIRS.value:
        start = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.evaluating", "--alone", f"--pairs={count}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
        print(f"{count:5d} pairs: peak {peaks[-1]:.0f} MiB, {time.perf_counter() - start:.0f} s")
    print(f"{100 * (peaks[-1] / peaks[0] - 1):+.1f} %")


def _write(folder: pathlib.Path, seed: int) -> None:
    """Writes numbered pictures of a canvas that fills with squares; the length varies by seed."""
    rng = np.random.default_rng(seed)
    canvas = np.full((_SIDE, _SIDE, 3), 245, np.uint8)
    folder.mkdir(parents=True)
    for step in range(_FRAMES - seed % 5):
        (folder / f"{step}.png").write_bytes(pictures.encode(canvas, "png"))
        for y, x in rng.integers(0, _SIDE - 8, (6, 2)):
            canvas[y : y + 16, x : x + 16] = rng.integers(0, 256, 3)


def _peak(count: int) -> float:
    """Evaluates `count` pairs, and returns the peak memory of this process in MiB."""
    trunk = VGG16(widths=(4, 4, 8, 8, 8), rngs=nnx.Rngs(0))
    networks = Networks(LPIPS(trunk=trunk, label="LPIPS (random)"))
    with tempfile.TemporaryDirectory() as folder:
        for side in ("generated", "recorded"):
            for number in range(count):
                _write(
                    pathlib.Path(folder, side, str(number)), number + (side == "recorded") * count
                )
        methods = [Method("generated", f"{folder}/generated")]
        source = FolderSource(methods, f"{folder}/recorded", frames=_FRAMES, size=_SIDE)
        cache = Cache(f"{folder}/partial", source.depends_on)
        evaluate(source, networks, cache, seed=0, watch=lambda items, _: items)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    cli.run(main)
