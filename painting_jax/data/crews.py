"""Those who do the tasks of `prepare`: worker processes here, or those of Apache Beam."""

import contextlib
import importlib.util
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from painting_jax import remote_paths
from painting_jax.data import workers
from painting_jax.errors import UserError

# Runners of Beam that work on this machine: their workers see its folders.
_HERE = ("DirectRunner", "FnApiRunner", "SwitchingDirectRunner", "BundleBasedDirectRunner")
_DATAFLOW = "DataflowRunner"


class Crew(Protocol):
    """Those who do tasks, see `workers.Crew`; not all of them can return other than JSON."""

    def workers_for(self, count: int) -> int:
        """How many workers on this machine do so many tasks; 0 if this process does them."""

    def in_order(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        description: str,
        lost: Callable[[Any, str], Any],
        most: int | None = None,
    ) -> Iterator[Any]:
        """Yields `function(task)` for each task, in their order, by so many at a time at most."""


@contextlib.contextmanager
def chosen(
    runner: str | None,
    options: Sequence[str],
    *,
    seconds: float,
    kept_dir: str | None,
    sources: Sequence[str],
    networks: Sequence[str] = (),
) -> Iterator[Crew]:
    """Yields the crew that flags choose.

    Args:
      runner: Beam's name of the runner; None for worker processes.
      options: Options of Beam's pipeline, as NAME=VALUE.
      seconds: Limit of the time of a task; 0 for none.
      kept_dir: Folder that all workers see; None for one on this machine.
      sources: What the workers read.
      networks: Folders and hub ids of networks that they use.

    Raises:
      UserError: If Beam is not installed, does not know the runner or an option, or its workers
        do not see what they need.
    """
    if runner is None:
        if options:
            raise UserError("--beam_options is for --beam_runner: name the runner")
        with workers.Crew(seconds) as crew:
            yield crew
        return
    if not _installed("apache_beam"):
        raise UserError(
            "--beam_runner needs the package apache-beam: pip install 'painting_jax[beam]'"
        )
    if kept_dir is None and runner not in _HERE:
        raise UserError(
            f"--beam_runner={runner}: name a folder that all its workers see, as in "
            "--kept_dir=gs://BUCKET/FOLDER"
        )
    for path in (kept_dir, *sources) if runner == _DATAFLOW else ():
        if not remote_paths.is_remote(path):
            raise UserError(
                f"{path} is on this machine, where workers of {runner} do not see it: copy it to a "
                "bucket, and name gs://BUCKET/FOLDER"
            )
    for name in networks if runner == _DATAFLOW else ():
        if os.path.exists(os.path.expanduser(name)):
            raise UserError(
                f"{name} is on this machine, where workers of {runner} do not see it: name its id "
                "on the Hugging Face hub"
            )
    if runner == _DATAFLOW and not _installed("google.cloud.dataflow"):
        raise UserError(
            f"--beam_runner={runner} needs Beam's packages for Google Cloud: pip install "
            "'apache-beam[gcp]' in an environment of its own, without constraints.txt"
        )
    # It warns of packages that only some of its parts need.
    logging.disable(logging.WARNING)
    try:
        # Imported here, since Beam is an extra and takes seconds.
        from painting_jax.data.beam_crew import BeamCrew  # noqa: PLC0415
    finally:
        logging.disable(logging.NOTSET)
    yield BeamCrew(runner, options, seconds, kept_dir)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that holds it
        return False
