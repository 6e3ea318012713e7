"""Checkpoints of a run: state and position in the data, saved together in the background."""

import asyncio
import contextlib
import dataclasses
import errno
import logging as python_logging
import os
import re
import shutil
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from typing import TypeVar

import jax
import orbax.checkpoint as ocp
from absl import logging
from etils import epath
from jax.sharding import Mesh

from painting_jax import memory
from painting_jax.errors import UserError
from painting_jax.tasks.task import Task
from painting_jax.training.interruption import held_back
from painting_jax.training.state import TrainState, abstract_state

_PROBE = 16 << 20  # bytes
_CENTURY = 100 * 365 * 24 * 3600  # seconds
# Files of a checkpoint. If one is missing, Orbax assumes that this part was left out on purpose.
_FILES = ("state/_METADATA", "state/manifest.ocdbt", "data/metadata")

T = TypeVar("T")


class Checkpoints:
    """The checkpoints in a run's workdir."""

    def __init__(self, workdir: epath.PathLike, *, keep: int = 1, read_only: bool = False):
        """Opens the checkpoints.

        Args:
          workdir: Folder of the run.
          keep: Number of latest checkpoints to keep.
          read_only: Whether to leave the folder as it is. The run may be training at this moment.
        """
        self.folder = epath.Path(workdir).resolve() / "checkpoints"
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            create=not read_only,
            cleanup_tmp_directories=not read_only,
            async_options=ocp.AsyncOptions(timeout_secs=_timeout()),
        )
        self._state_handler = ocp.PyTreeCheckpointHandler(
            type_handler_registry=ocp.type_handlers.create_type_handler_registry(
                (jax.Array, _ArrayHandler())
            )
        )
        registry = ocp.handlers.DefaultCheckpointHandlerRegistry()
        for args in (ocp.args.PyTreeSave, ocp.args.PyTreeRestore):
            registry.add("state", args, self._state_handler)
        logging.get_absl_logger().addFilter(_not_of_orbax)
        self._manager = ocp.CheckpointManager(
            self.folder, options=options, handler_registry=registry
        )

    def latest(self) -> int | None:
        """Number of steps done in the latest checkpoint; None if there is no checkpoint."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainState, next_batch: int) -> None:
        """Saves in the background. The state may be donated as soon as this returns.

        Raises:
          UserError: If the disk lacks room for this checkpoint or lacked it for the previous one.
        """
        if step == self.latest():
            return
        # If Orbax is interrupted while it waits, it prints a long report and loses track of the
        # checkpoint that is being saved.
        with self._refusals_told(), held_back():
            self._manager.wait_until_finished()
            _check_room(self.folder, state)
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.PyTreeSave(_as_dict(state)),
                    data=ocp.args.JsonSave({"next_batch": next_batch}),
                ),
                force=True,
            )

    def restore(self, task: Task, mesh: Mesh) -> tuple[TrainState, int]:
        """Restores the latest state, laid out on the mesh, and the number of the next batch.

        Raises:
          UserError: If the checkpoint is damaged.
        """
        target = _as_dict(abstract_state(task, mesh))
        with self._damage_told():
            restored = self._manager.restore(
                self.latest(),
                args=ocp.args.Composite(state=_restore_args(target), data=ocp.args.JsonRestore()),
            )
        return TrainState(**restored["state"]), restored["data"]["next_batch"]

    def restore_ema(self, task: Task, mesh: Mesh) -> dict:
        """Restores only the averaged parameters of the latest checkpoint.

        Raises:
          UserError: If they do not fit the task's model, or the checkpoint is damaged.
        """
        target = {"ema_params": abstract_state(task, mesh).ema_params}
        with self._damage_told():
            self._check_fit(target)
            restored = self._manager.restore(
                self.latest(),
                args=ocp.args.Composite(state=_restore_args(target, partial_restore=True)),
            )
        return restored["state"]["ema_params"]

    def _check_fit(self, target: dict) -> None:
        """Checks shapes. Orbax also does, but its error reads as if the checkpoint were damaged."""
        folder = self.folder / str(self.latest())
        stored = self._state_handler.metadata(folder / "state").tree
        theirs, ours = _shapes({name: stored[name] for name in target}), _shapes(target)
        for name in sorted(theirs.keys() | ours.keys()):
            there, here = theirs.get(name, "absent"), ours.get(name, "absent")
            if there != here:
                raise UserError(
                    f"the checkpoint {folder} is of another model than config.json: "
                    f"{name} is {there} there and would be {here}"
                )

    def close(self) -> None:
        """Waits until the last checkpoint is saved, even if Ctrl-C is pressed.

        Raises:
          UserError: If the file system refused to write it.
        """
        with self._refusals_told(), held_back():
            self._manager.close()

    @contextlib.contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Turns errors while reading the latest checkpoint into a `UserError`."""
        folder = self.folder / str(self.latest())
        try:
            for name in _FILES:
                if not (folder / name).exists():
                    raise FileNotFoundError(f"{name} is missing")
            yield
        except UserError:
            raise
        except Exception as error:  # Orbax raises nothing narrower for corrupt data.
            if memory.is_exhausted(error):
                raise
            # The cause describes the data; the error itself also lists TensorStore's settings.
            reason = re.split(r"\. |\n", str(error.__cause__ or error))[0][:200]
            before = [step for step in self._manager.all_steps() if step != self.latest()]
            way_out = f": remove it to go back to step {max(before)}" if before else ""
            raise UserError(f"the checkpoint {folder} is damaged ({reason}){way_out}") from error

    @contextlib.contextmanager
    def _refusals_told(self) -> Iterator[None]:
        """Turns write errors of the file system into a `UserError`."""
        try:
            yield
        except (OSError, ValueError) as error:
            reason = _refusal(error)
            if reason is None:
                raise
            raise UserError(f"no checkpoint can be written to {self.folder}: {reason}") from error


class _ArrayHandler(ocp.type_handlers.ArrayHandler):
    """Reads and writes arrays as Orbax does, but waits for all of them when one fails.

    Orbax has an event loop for each restore and each save, and closes it at the first failure.
    TensorStore's threads continue with the other arrays. Without the wait they would print an error
    for each array that finishes after the loop is closed.
    """

    async def metadata(self, infos: Sequence[ocp.type_handlers.ParamInfo]) -> Sequence:
        return await _with_all_it_began(super().metadata(infos))

    async def deserialize(
        self,
        infos: Sequence[ocp.type_handlers.ParamInfo],
        args: Sequence[ocp.RestoreArgs] | None = None,
    ) -> Sequence[jax.Array]:
        return await _with_all_it_began(super().deserialize(infos, args))

    async def serialize(
        self,
        values: Sequence[jax.Array],
        infos: Sequence[ocp.type_handlers.ParamInfo],
        args: Sequence[ocp.SaveArgs] | None = None,
    ) -> Sequence[ocp.Future]:
        for info in infos:
            # Without a limit on concurrent writes, Orbax writes all arrays in one transaction,
            # which fails as a whole.
            info.byte_limiter = None
        return await super().serialize(values, infos, args)


async def _with_all_it_began(work: Coroutine[None, None, T]) -> T:
    """Awaits a coroutine and, if it fails, all tasks that it started."""
    before = asyncio.all_tasks()
    try:
        return await work
    except Exception:
        while begun := asyncio.all_tasks() - before:
            await asyncio.wait(begun)
        raise


def _timeout() -> int:
    """Seconds that a save may take.

    Orbax measures them by the wall clock, which may jump by decades when it is first set. Nothing
    can keep a single process waiting; several wait for each other.
    """
    return _CENTURY if jax.process_count() == 1 else ocp.AsyncOptions().timeout_secs


def _not_of_orbax(record: python_logging.LogRecord) -> bool:
    """Filters out Orbax's log: it is for developers, and errors are raised as well."""
    return f"{os.sep}orbax{os.sep}" not in record.pathname


def _restore_args(target: dict, **options: bool) -> ocp.args.PyTreeRestore:
    arrays = ocp.checkpoint_utils.construct_restore_args(target)
    return ocp.args.PyTreeRestore(item=target, restore_args=arrays, **options)


def _shapes(tree: dict) -> dict[str, tuple[int, ...]]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _check_room(folder: epath.Path, state: TrainState) -> None:
    """Raises OSError if a checkpoint will not fit on the disk, before any of it is written.

    Orbax would notice only while writing, and leave a partial checkpoint behind.
    """
    if not os.path.isdir(folder):
        return  # The folder is not on this machine.
    size = sum(
        shard.data.nbytes for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards
    )
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # The free space does not account for quotas and limits.
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(min(size, _PROBE)))


def _refusal(error: OSError | ValueError) -> str | None:
    """Why the file system refused to write; None if the error has another cause."""
    if isinstance(error, OSError):
        return error.strerror
    # TensorStore raises ValueError with the system's error code in the message.
    match = re.search(r"os_error_code='(\d+)'", str(error))
    return os.strerror(int(match[1])) if match else None


def _as_dict(state: TrainState) -> dict:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
