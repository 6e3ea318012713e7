"""Measures what the step cache skips, and how far its paintings are from those of all steps.

  python -m benchmarks.step_cache
  python -m benchmarks.step_cache --workdir=RUN

Four photos that were not trained on, from installed packages, are painted in oil with all steps,
and with the step cache at several thresholds, from the same noise.
"""

import pathlib
import tempfile
import time

import numpy as np
from absl import flags

from benchmarks import machine, packaged, table
from painting_jax import cli
from painting_jax.data import photos as photos_lib
from painting_jax.data import pictures
from painting_jax.generation.magnitudes_file import NAME, MagnitudesFile
from painting_jax.generation.run import Run

_WORKDIR = flags.DEFINE_string("workdir", None, "Run to measure [default: the packaged weights].")
_SIZE = flags.DEFINE_integer("size", 256, "Side of the paintings in pixels.")

_PHOTOS = 4
_CASES = ((32, 0.03), (32, 0.12), (50, 0.03), (50, 0.12), (50, 0.5))


def main() -> None:
    """Measures each case, and prints them in markdown."""
    run = packaged.load(_WORKDIR.value)
    shown = [
        pictures.fit(pictures.load(photo.path), _SIZE.value, _SIZE.value)
        for photo in photos_lib.packaged()[:_PHOTOS]
    ]
    print("| steps | threshold | skipped | PSNR | time, all steps = 1 |\n|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        magnitudes = MagnitudesFile(pathlib.Path(folder, NAME), "benchmark")
        for steps in dict.fromkeys(steps for steps, _ in _CASES):
            table.tell(f"{steps} steps")
            _painted(run, shown[:1], steps)  # It compiles.
            full, seconds, _ = _painted(run, shown, steps)
            for threshold in (threshold for count, threshold in _CASES if count == steps):
                cached = {"step_cache": threshold, "magnitudes": magnitudes}
                # Measures the model, and compiles.
                for _ in range(2):
                    _painted(run, shown[:1], steps, **cached)
                found, with_cache, skipped = _painted(run, shown, steps, **cached)
                print(
                    f"| {steps} | {threshold} | {skipped} | {_psnr(found, full):.1f} dB | "
                    f"{with_cache / seconds:.2f} |",
                    flush=True,
                )
    print()
    for line in machine.describe():
        print(f"- {line}")


def _painted(
    run: Run, shown: list[np.ndarray], steps: int, **settings
) -> tuple[np.ndarray, float, int]:
    """Processes of pictures, the time that they took in seconds, and the steps skipped in each."""
    begun, processes, skipped = time.perf_counter(), [], 0
    for picture_HWC in shown:
        asked = settings | {"size": max(picture_HWC.shape), "steps": steps}
        [painted] = packaged.paint(run, picture_HWC, ["oil"], **asked)
        processes.append(painted.frames_THWC)
        skipped = painted.parameters.get("skipped_steps", 0)
    return np.stack(processes), time.perf_counter() - begun, skipped


def _psnr(found: np.ndarray, expected: np.ndarray) -> float:
    error = np.square(found.astype(np.float32) - expected).mean()
    return float(10 * np.log10(255**2 / error))


if __name__ == "__main__":
    cli.run(main)
