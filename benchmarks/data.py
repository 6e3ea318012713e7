"""Measures how fast recordings are prepared, and prints a markdown table.

  python -m benchmarks.data [--runs=3] [--parts=cleaning,hour,workers]

cleaning: frames a second of one core, step by step, beside bare decoding of the same frames.
hour: time and memory for a recording of an hour, which repeats a short one.
workers: one worker process against one a core.
"""

import pathlib
import tempfile

from absl import flags

from benchmarks import cleaning, long_recording, many_recordings, table
from benchmarks.timing import Row
from painting_jax import cli
from painting_jax.errors import UserError

_PARTS = ("cleaning", "hour", "workers")
_RUNS = flags.DEFINE_integer("runs", 3, "Runs of each measurement.")
_CHOSEN = flags.DEFINE_list("parts", list(_PARTS), f"What is measured, of {', '.join(_PARTS)}.")

_WIDTHS = (640, 854)
_SHORT = 120  # frames of the recording that workers read


def main() -> None:
    """Measures, then prints the table."""
    if _RUNS.value < 1:
        raise UserError(f"--runs={_RUNS.value}: it must be at least 1")
    if unknown := set(_CHOSEN.value) - set(_PARTS):
        raise UserError(f"--parts={','.join(sorted(unknown))}: {', '.join(_PARTS)} are known")
    with tempfile.TemporaryDirectory() as folder:
        table.show(lambda: _measured(pathlib.Path(folder)))


def _measured(folder: pathlib.Path) -> list[Row]:
    rows = []
    if "cleaning" in _CHOSEN.value:
        for width in _WIDTHS:
            table.tell(f"cleaning {width}x480")
            path = folder / f"{width}.mp4"
            cleaning.film(path, width)
            rows += cleaning.measure(path, _RUNS.value)
    short = folder / "short.mp4"
    if set(_CHOSEN.value) - {"cleaning"}:
        cleaning.film(short, _WIDTHS[-1], _SHORT)
    if "hour" in _CHOSEN.value:
        table.tell("an hour")
        path = folder / "hour" / "hour.mp4"
        path.parent.mkdir()
        long_recording.repeat(short, path)
        rows += long_recording.measure(path, folder / "data")
    if "workers" in _CHOSEN.value:
        table.tell("workers")
        rows += many_recordings.measure(short, folder, _RUNS.value)
    return rows


if __name__ == "__main__":
    cli.run(main)
