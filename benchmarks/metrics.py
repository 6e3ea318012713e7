"""Measures the networks of the evaluation and prints a markdown table.

  python -m benchmarks.metrics     compared with torch, on the CPU

Each figure is the median of several runs, with minimum and maximum. Progress is printed on standard
error, so that the table can be redirected into a file.
"""

import jax
from absl import flags

from benchmarks import table
from painting_jax import cli
from painting_jax.errors import UserError

_RUNS = flags.DEFINE_integer("runs", 7, "Runs of each measurement, after one that is not counted.")
_FRAMES = flags.DEFINE_integer("frames", 16, "Frames that go through at once.")
_SIDE = flags.DEFINE_integer("side", 256, "Of the frames that LPIPS compares, in pixels.")


def main() -> None:
    """Measures, then prints the table."""
    for flag, least in ((_RUNS, 1), (_FRAMES, 1), (_SIDE, 16)):
        if flag.value < least:
            raise UserError(f"--{flag.name}={flag.value}: it must be at least {least}")
    # Set before JAX looks for an accelerator, since torch runs on the CPU.
    jax.config.update("jax_platforms", "cpu")
    try:
        # torch is only needed for tests and benchmarks, and is not always installed.
        from benchmarks import against_torch  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"{error}: pip install -e .[test]") from error
    table.show(lambda: against_torch.measure(_FRAMES.value, _SIDE.value, _RUNS.value, table.tell))


if __name__ == "__main__":
    cli.run(main)
