"""Measures the networks that evaluation is done with and prints a table in markdown.

  python -m benchmarks.metrics     against torch, on the CPU

Each figure is the median of several runs, with the least and the most. What is being measured is
told on standard error, so that the table can be redirected into a file.
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
    # Before JAX looks for an accelerator: the other side has none.
    jax.config.update("jax_platforms", "cpu")
    try:
        # The other side is for tests and benchmarks alone, and not always installed.
        from benchmarks import against_torch  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"{error}: pip install -e .[test]") from error
    table.show(lambda: against_torch.measure(_FRAMES.value, _SIDE.value, _RUNS.value, table.tell))


if __name__ == "__main__":
    cli.run(main)
