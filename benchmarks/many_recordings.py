"""How much faster several workers prepare recordings than one."""

import functools
import os
import pathlib
import resource
from collections.abc import Iterable

from benchmarks.timing import Row, seconds
from painting_jax.data import processes, reading_recordings, readings, timelapse, workers
from painting_jax.data.curation.options import Cleaning
from painting_jax.data.enrichment.enrichment import NONE

_COPIES = 8
_SECONDS = 3600  # limit of a task; without one, few tasks run in this process


def measure(path: pathlib.Path, folder: pathlib.Path, runs: int) -> list[Row]:
    """Recordings a minute of one worker and of one a core, by turns, and how they compare.

    Args:
      path: A recording, of which there are 8 copies.
      folder: For their records.
      runs: Number of pairs of runs.
    """
    recordings, _ = processes.find([str(path)], medium="oil", known_media=["oil"], grid="")
    read = functools.partial(
        reading_recordings.read,
        max_frames=128,
        max_side=1280,
        edits=timelapse.KEEP,
        cleaning=Cleaning(min_quality=0.0),
        enrichment=NONE,
    )
    tasks = [readings.Task(recordings[0], str(folder / f"{n}")) for n in range(_COPIES)]
    cores = sorted(os.sched_getaffinity(0))
    speeds: dict[int, list[float]] = {1: [], len(cores): []}
    spent: dict[int, list[float]] = {1: [], len(cores): []}
    for _ in range(runs):
        for count, found in speeds.items():
            os.sched_setaffinity(0, cores[-count:])
            before = _processor_time()
            with workers.Crew(_SECONDS) as crew:
                # Workers start with their first task, which takes a while.
                _all_read(crew.in_order(readings.Keeper(read), tasks[:count], "starting", _lost))
                some = crew.in_order(readings.Keeper(read), tasks, "reading", _lost)
                found.append(60 * _COPIES / seconds(functools.partial(_all_read, some)))
            spent[count].append((_processor_time() - before) / (_COPIES + count))
    os.sched_setaffinity(0, cores)
    many = len(cores)
    return [
        *(
            Row(f"{count} worker{'s' * (count > 1)}", "recordings/min", found, f"{_COPIES} copies")
            for count, found in speeds.items()
        ),
        Row(
            f"{many} workers / ({many} x one)",
            "",
            [b / (many * a) for a, b in zip(speeds[1], speeds[many], strict=True)],
            "by the clock, which other programs slow down",
        ),
        Row(
            "the same by processor time",
            "",
            [a / b for a, b in zip(spent[1], spent[many], strict=True)],
            "a recording's, starting included: what cores of one's own would give",
        ),
    ]


def _all_read(outcomes: Iterable[readings.Outcome]) -> None:
    for reason, _ in outcomes:
        if reason is not None:
            raise RuntimeError(reason)


def _lost(task: readings.Task, reason: str) -> readings.Outcome:
    raise RuntimeError(f"{task.place}: {reason}")


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
