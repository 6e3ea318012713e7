"""Reads hostile files by the hundreds, each as `prepare` reads it, and reports what went wrong.

  python -m soak.hostile.main [--files=2000] [--seed=0] [--only=17] [--keep=runs/hostile]

A file that is not refused in a line, hangs, or takes too much memory, is kept.
"""

import collections
import pathlib
import shutil
import sys
from collections.abc import Iterable, Mapping

from absl import flags

from painting_jax import cli
from soak.hostile import cases, guard, seeds
from soak.hostile.reading import Outcome

_FILES = flags.DEFINE_integer("files", 2000, "Number of files.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of all that is drawn.")
_ONLY = flags.DEFINE_multi_integer("only", [], "Number of a file to read alone.")
_KEEP = flags.DEFINE_string("keep", "runs/hostile", "Folder for the files that are kept.")

# One video in so many is cleaned, too: that takes ten times as long.
_CLEANED = 8


def main() -> None:
    """Reads files and exits with status 1 if there was a fault."""
    numbers = _ONLY.value or range(_FILES.value)
    outcomes = read(_SEED.value, numbers, pathlib.Path(_KEEP.value))
    for line in report(outcomes):
        print(line)
    if any(outcome.faults for outcome in outcomes.values()):
        sys.exit(1)


def read(seed: int, numbers: Iterable[int], keep: pathlib.Path) -> dict[int, Outcome]:
    """The outcomes of cases by their numbers; what has faults is kept in a folder."""
    outcomes = {}
    with guard.Guard() as guarded:
        for number in numbers:
            cleans = number // len(seeds.READERS) % _CLEANED == 0
            outcomes[number] = guarded.outcome(seed, number, cleans=cleans)
            for fault in outcomes[number].faults:
                folder = keep / f"{seed}-{number}"
                shutil.rmtree(folder, ignore_errors=True)
                cases.drawn(seed, number).write(folder)
                print(
                    f"{_reader(number)}: {fault}\n{folder}: python -m soak.hostile.main "
                    f"--seed={seed} --only={number}",
                    flush=True,
                )
    return outcomes


def report(outcomes: Mapping[int, Outcome]) -> list[str]:
    """A table of what became of the files for each reader, in markdown."""
    by_reader = collections.defaultdict(list)
    for number, outcome in outcomes.items():
        by_reader[_reader(number)].append(outcome)
    lines = [
        "| | files | read | refused | faults | seconds | slowest |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for reader, those in [*by_reader.items(), ("all", list(outcomes.values()))]:
        seconds = [outcome.seconds for outcome in those]
        read, refused = (sum(getattr(one, what) for one in those) for what in ("read", "refused"))
        faults = sum(bool(one.faults) for one in those)
        lines.append(
            f"| {reader} | {len(those)} | {read} | {refused} | {faults} | {sum(seconds):.1f} | "
            f"{max(seconds):.1f} |"
        )
    return lines


def _reader(number: int) -> str:
    return list(seeds.READERS)[number % len(seeds.READERS)]


if __name__ == "__main__":
    cli.run(main)
