"""Measures Wan's models and prints a markdown table.

  python -m benchmarks.wan                 compared with diffusers, on the CPU
  python -m benchmarks.wan --what=loading  host memory while a 1.3B model is loaded

Each figure is the median of several runs, with minimum and maximum. Progress is printed on standard
error, so that the table can be redirected into a file.
"""

import jax
from absl import flags

from benchmarks import loading, table
from benchmarks.timing import Row
from painting_jax import cli
from painting_jax.errors import UserError

_WHAT = flags.DEFINE_enum(
    "what", "against_diffusers", ["against_diffusers", "loading"], "To measure."
)
_RUNS = flags.DEFINE_integer("runs", 7, "Runs of each measurement, after one that is not counted.")
_SIZE = flags.DEFINE_string("size", "wan21_t2v_1_3b", "loading: of models.wan.SIZES.")
_FOLDER = flags.DEFINE_string(
    "folder", None, "loading: where the weights are written [default: the system's for such]."
)


def main() -> None:
    """Runs the measurement of --what, then prints the table."""
    if _RUNS.value < 1:
        raise UserError(f"--runs={_RUNS.value}: it must be at least 1")
    if _WHAT.value == "against_diffusers":
        # Set before JAX looks for an accelerator, since torch runs on the CPU.
        jax.config.update("jax_platforms", "cpu")
    table.show(_rows)


def _rows() -> list[Row]:
    if _WHAT.value == "loading":
        return loading.measure(_SIZE.value, _FOLDER.value, table.tell)
    try:
        # diffusers is only needed for tests and benchmarks, and is not always installed.
        from benchmarks import against_diffusers  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"{error}: pip install -e .[test]") from error
    return against_diffusers.measure(against_diffusers.SETTING, _RUNS.value, table.tell)


if __name__ == "__main__":
    cli.run(main)
