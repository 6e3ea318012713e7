"""Tasks done by a pipeline of Apache Beam: by several processes here, or on other machines."""

import collections
import contextlib
import io
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import create_runner
from etils import epath

from painting_jax import json_text
from painting_jax.data import workers
from painting_jax.data.worker import Worker
from painting_jax.errors import UserError

# One worker per core. Threads, since each has a process of its own for the tasks.
_DIRECT = {"direct_running_mode": "multi_threading", "direct_num_workers": "0"}


# Workers of this process, by the folder of their results: Beam may keep those who use them for more
# work of a pipeline that has ended.
_hired: dict[str, list[Worker]] = collections.defaultdict(list)


class BeamCrew:
    """Does tasks as `workers.Crew` does, each round by a pipeline; their results are JSON.

    A worker of Beam has a process of its own for the tasks: one that hangs or crashes is not a
    failure of the pipeline. Each result is a file, since a runner may be on other machines, and may
    do a task twice.

    Args:
      runner: Beam's name of the runner.
      options: Options of the pipeline, as NAME=VALUE.
      seconds: Limit of the time of a task; 0 for none.
      shared: Folder that all workers see; None for one on this machine.

    Raises:
      UserError: If Beam does not know the runner or an option.
    """

    def __init__(
        self,
        runner: str,
        options: Sequence[str],
        seconds: float = 0,
        shared: epath.PathLike | None = None,
    ):
        self._runner, self._seconds, self._shared = runner, seconds, shared
        self._options = _options(runner, options)

    def workers_for(self, count: int) -> int:
        """One: how many there are, options of the pipeline say."""
        return min(1, count)

    def in_order(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        description: str,
        lost: Callable[[Any, str], Any],
        most: int | None = None,
    ) -> Iterator[Any]:
        """Yields `function(task)` for each task, in their order, once the pipeline has ended.

        Args:
          function: Function of a module, which the workers import.
          tasks: Arguments of the calls.
          description: What is done, for the error.
          lost: Makes the result of a task that ended its worker, or took too long.
          most: Not heeded: options of the pipeline say how many workers there are.

        Raises:
          UserError: If a task raises an error, or the pipeline fails.
        """
        if not tasks:
            return
        with _folder(self._shared) as folder:
            do = beam.ParDo(_Do(function, lost, self._seconds, str(folder)))
            try:
                with beam.Pipeline(runner=self._runner, options=self._options) as pipeline:
                    # Without a shuffle, one worker would do them all.
                    _ = pipeline | beam.Create(list(enumerate(tasks))) | beam.Reshuffle() | do
            except Exception as error:
                # The first line: tracebacks of other processes follow.
                [reason, *_] = str(error).strip().splitlines() or [type(error).__name__]
                raise UserError(f"{description}: {self._runner} failed: {reason}") from error
            finally:
                for worker in _hired.pop(str(folder), ()):
                    worker.kill()
                    worker.stop()
            for number in range(len(tasks)):
                said = json_text.parse((folder / str(number)).read_bytes())
                if "error" in said:
                    raise UserError(f"{description}: {said['error']}")
                yield said["result"]


class _Do(beam.DoFn):
    def __init__(
        self,
        function: Callable[[Any], Any],
        lost: Callable[[Any, str], Any],
        seconds: float,
        folder: str,
    ):
        self._function, self._lost = function, lost
        self._seconds, self._folder = seconds, folder

    def setup(self) -> None:
        self._worker = Worker()
        _hired[self._folder].append(self._worker)

    def process(self, numbered: tuple[int, Any]) -> None:
        number, task = numbered
        try:
            said = {"result": self._result(task)}
        except Exception as error:
            # Runners report errors each in their own way, if at all.
            said = {"error": str(error) or type(error).__name__}
        (epath.Path(self._folder) / str(number)).write_text(json.dumps(said))

    def _result(self, task: Any) -> Any:
        def do(task: Any) -> Any:
            return self._worker.do(self._function, task, self._seconds)

        return workers.result_of(task, do, do, self._lost, self._seconds)

    def teardown(self) -> None:
        # A pipeline that is interrupted is torn down in the middle of a task.
        self._worker.kill()
        self._worker.stop()


def _options(runner: str, given: Sequence[str]) -> PipelineOptions:
    values = dict(_DIRECT) if runner == "DirectRunner" else {}
    # Beam is talkative.
    values["default_sdk_harness_log_level"] = "ERROR"
    known = {*PipelineOptions([]).get_all_options()}
    for option in given:
        name, _, value = option.partition("=")
        if name not in known:
            raise UserError(f"--beam_options: {name} is no option of Beam's, as NAME=VALUE")
        values[name] = value
    flags = [f"--{name}={value}" if value else f"--{name}" for name, value in values.items()]
    usage = io.StringIO()
    try:
        create_runner(runner)
        options = PipelineOptions(flags)
        with contextlib.redirect_stderr(usage):
            options.get_all_options()
    except SystemExit:
        [*_, last] = usage.getvalue().splitlines()
        raise UserError(f"--beam_options: {last.partition(': error: ')[2] or last}") from None
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"--beam_runner={runner}: {error}") from None
    return options


@contextlib.contextmanager
def _folder(shared: epath.PathLike | None) -> Iterator[epath.Path]:
    """A new folder for results, removed at the end."""
    if shared is None:
        with tempfile.TemporaryDirectory() as folder:
            yield epath.Path(folder)
        return
    folder = epath.Path(shared) / f"results-{uuid.uuid4()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        folder.rmtree()
