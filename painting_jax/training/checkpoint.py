"""Checkpoints of a run: state and position in the data, saved together in the background.

Each has a checksum per array. A checkpoint that is damaged is named, and the one before it taken.
"""

import asyncio
import contextlib
import dataclasses
import errno
import logging as python_logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import jax
import orbax.checkpoint as ocp
from absl import logging
from etils import epath
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from painting_jax import buckets, remote_paths
from painting_jax.errors import UserError
from painting_jax.files import move_folder, sync, sync_folder
from painting_jax.interruption import held_back
from painting_jax.tasks.task import Task
from painting_jax.training import checksums, steady_clock
from painting_jax.training.state import TrainState, abstract_state

_PROBE = 16 << 20  # bytes
# Bytes of an array's part from which on devices that all hold the array write a part each. To cut
# small arrays takes longer than to write them.
_LEAST_SLICE = 1 << 20
# Files of a checkpoint. If one is missing, Orbax assumes that this part was left out on purpose.
_FILES = ("state/_METADATA", "state/manifest.ocdbt", "data/metadata")
_SUMS = "checksums"  # Part of a checkpoint; earlier versions did not write it.
_PARAMS = ("params", "ema_params")
# File of a whole checkpoint, and of each of its parts.
_MARK = ocp.path.atomicity.COMMIT_SUCCESS_FILE
_HALF = ".orbax-checkpoint-tmp"  # In the name of one that is being written.
# Folder beside the checkpoints for those that are damaged.
_ASIDE = "damaged_checkpoints"
# Errors of the system that say nothing about the data.
_NO_DAMAGE = (errno.EACCES, errno.EPERM, errno.ENOMEM, errno.EMFILE, errno.ENFILE)

T = TypeVar("T")

steady_clock.give_to("orbax")


class Checkpoints:
    """The checkpoints in a run's workdir."""

    def __init__(self, workdir: epath.PathLike, *, keep: int = 1, read_only: bool = False):
        """Opens the checkpoints.

        Args:
          workdir: Folder of the run.
          keep: Number of latest checkpoints to keep.
          read_only: Whether to leave the folder as it is. The run may be training at this moment.
        """
        run = epath.Path(workdir)
        # An address is absolute as it is.
        self._in_bucket = remote_paths.in_bucket(run)
        self.folder = (run if self._in_bucket else run.resolve()) / "checkpoints"
        self._read_only = read_only
        # A folder in a bucket has its name from the start, and counts once `_MARK` lies in it.
        marked = ocp.path.atomicity.CommitFileTemporaryPath
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            create=not read_only,
            # Orbax would remove them in the background and not wait for it when it is closed.
            cleanup_tmp_directories=False,
            temporary_path_class=marked if self._in_bucket else _SyncedPath,
        )
        self._state_handler = ocp.PyTreeCheckpointHandler(
            type_handler_registry=ocp.type_handlers.create_type_handler_registry(
                (jax.Array, _ArrayHandler(min_slice_bytes_for_replica_parallel=_LEAST_SLICE))
            )
        )
        registry = ocp.handlers.DefaultCheckpointHandlerRegistry()
        for args in (ocp.args.PyTreeSave, ocp.args.PyTreeRestore):
            registry.add("state", args, self._state_handler)
        logging.get_absl_logger().addFilter(_not_of_orbax)
        python_logging.getLogger("asyncio").addFilter(_not_left_by_orbax)
        self._manager = ocp.CheckpointManager(
            self.folder, options=options, handler_registry=registry
        )
        if not read_only and jax.process_index() == 0:
            with self._refusals_told():
                self._remove_halves()

    def latest(self) -> int | None:
        """Number of steps done in the latest checkpoint; None if there is no checkpoint."""
        return self._manager.latest_step()

    def last_good(self) -> str:
        """Says which checkpoint is the latest that has come to the disk."""
        # Orbax counts one that it still writes. If that fails, `close` says so.
        with contextlib.suppress(Exception), held_back():
            self._manager.wait_until_finished()
        last = self.latest()
        good = "there is no checkpoint" if last is None else f"the last good checkpoint is {last}"
        return f"{good} in {self.folder}"

    def save(
        self,
        step: int,
        state: TrainState,
        next_batch: int,
        first: Callable[[], object] = lambda: None,
    ) -> None:
        """Saves in the background. The state may be donated as soon as this returns.

        Args:
          step: Number of steps done.
          state: State after them.
          next_batch: Number of the next batch.
          first: Called before anything is written, once the parameters are known to be sound.

        Raises:
          UserError: If a parameter is not finite or absurdly large, or if the disk lacks room for
            this checkpoint or lacked it for the previous one.
        """
        if step == self.latest():
            return
        tree = _as_dict(state)
        try:
            checksums.check_sane({name: tree[name] for name in _PARAMS})
        except checksums.Damaged as spoiled:
            raise UserError(
                f"{spoiled} after step {step}: {self.last_good()}; "
                "lower config.optimizer.learning_rate and start from it with config.init_from"
            ) from None
        first()
        # If Orbax is interrupted while it waits, it prints a long report and loses track of the
        # checkpoint that is being saved.
        with self._refusals_told(), held_back():
            self._manager.wait_until_finished()
            _check_room(self.folder, state)
            parts = {
                "state": ocp.args.PyTreeSave(tree),
                "data": ocp.args.JsonSave({"next_batch": next_batch}),
                _SUMS: ocp.args.JsonSave(checksums.of(tree)),
            }
            self._manager.save(step, args=ocp.args.Composite(**parts), force=True)

    def restore(self, task: Task, mesh: Mesh) -> tuple[TrainState, int]:
        """Restores the latest sound state, laid out on the mesh, and the number of the next batch.

        Damaged checkpoints after it are moved out of the way, unless the folder is read only.

        Raises:
          UserError: If all checkpoints are damaged.
        """
        target = _as_dict(abstract_state(task, mesh))

        def read(step: int) -> tuple[TrainState, int]:
            restored = self._read(
                step, {"state": _restore_args(target), "data": ocp.args.JsonRestore()}
            )
            state, next_batch = restored["state"], restored["data"]["next_batch"]
            if not int(state["step"]) == next_batch == step:
                raise checksums.Damaged(f"it is of step {state['step']}, before batch {next_batch}")
            return TrainState(**state), next_batch

        (state, next_batch), step = self._newest(read)
        self._set_aside(after=step)
        return state, next_batch

    def restore_sampled(self, task: Task, mesh: Mesh) -> tuple[dict, int]:
        """Restores the parameters that samples use, of the latest sound checkpoint, and its step.

        Raises:
          UserError: If they do not fit the task's model, or all checkpoints are damaged.
        """
        name = "ema_params" if task.config.optimizer.ema else "params"
        target = {name: abstract_state(task, mesh).sampled_params}

        def read(step: int) -> dict:
            self._check_fit(target, step)
            restored = self._read(step, {"state": _restore_args(target, partial_restore=True)})
            return restored["state"][name]

        return self._newest(read)

    def _read(self, step: int, parts: dict[str, Any]) -> Any:
        """Reads parts of a checkpoint and compares the arrays with their checksums."""
        has_sums = (self.folder / str(step) / _SUMS).exists()
        sums = {_SUMS: ocp.args.JsonRestore()} if has_sums else {}
        restored = self._manager.restore(step, args=ocp.args.Composite(**parts, **sums))
        if has_sums:
            checksums.check(restored["state"], restored[_SUMS])
        params = {name: restored["state"][name] for name in _PARAMS if name in restored["state"]}
        checksums.check_sane(params)
        return restored

    def _newest(self, read: Callable[[int], T]) -> tuple[T, int]:
        """The result of a function for the newest checkpoint that is not damaged, and its step."""
        damaged: list[str] = []
        cause: Exception | None = None
        for step in sorted(self._manager.all_steps(), reverse=True):
            folder = self.folder / str(step)
            try:
                for name in _FILES:
                    if not (folder / name).exists():
                        raise FileNotFoundError(f"{name} is missing")
                result = read(step)
            except UserError:
                raise
            except Exception as error:  # Orbax raises nothing narrower for corrupt data.
                if not self._may_be_damage(error):
                    if reason := self._refusal(error):
                        raise UserError(
                            f"the checkpoint {folder} cannot be read: {reason}"
                        ) from error
                    raise
                # The cause describes the data; the error itself also lists TensorStore's settings.
                reason = re.split(r"\. |\n", str(error.__cause__ or error))[0][:200]
                damaged.append(f"the checkpoint {folder} is damaged ({reason})")
                cause = error
                continue
            if damaged and jax.process_index() == 0:
                for line in damaged:
                    print(f"{line}: the one before it is taken, of step {step}", file=sys.stderr)
            return result, step
        raise UserError("; ".join(damaged) or f"{self.folder} holds no checkpoint") from cause

    def _set_aside(self, after: int) -> None:
        """Moves later checkpoints, which are damaged, out of the way of those to come."""
        later = [step for step in self._manager.all_steps() if step > after]
        if self._read_only or not later:
            return
        aside = self.folder.with_name(_ASIDE)
        if jax.process_index() == 0:
            aside.mkdir(exist_ok=True)
            for step in later:
                move_folder(self.folder / str(step), aside / str(step), last=_MARK)
            print(f"what is damaged lies in {aside} now, which may be removed", file=sys.stderr)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(_ASIDE)
        self._manager.reload()

    def _check_fit(self, target: dict, step: int) -> None:
        """Checks shapes. Orbax also does, but its error reads as if the checkpoint were damaged."""
        folder = self.folder / str(step)
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
    def _refusals_told(self) -> Iterator[None]:
        """Turns write errors of the file system into a `UserError`; no half checkpoint is left."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # Each storage has errors of its own.
            reason = self._refusal(error)
            if reason is None:
                raise
            # Others may be writing to it still. In a bucket the next training removes it.
            if jax.process_count() == 1 and not self._in_bucket:
                with contextlib.suppress(OSError):
                    self._remove_halves()
            raise UserError(f"no checkpoint can be written to {self.folder}: {reason}") from error

    def _remove_halves(self) -> None:
        """Removes checkpoints that were not written to the end."""
        if not self._in_bucket:
            for half in self.folder.glob(f"*{_HALF}*"):
                shutil.rmtree(half)
            return
        for name in buckets.names(self.folder):
            # Others' folders have no marks.
            if name.isdecimal() and buckets.read(self.folder / name / _MARK) is None:
                buckets.remove_folder(self.folder / name, last=_MARK)

    def _refusal(self, error: Exception) -> str | None:
        """What the file system or the bucket refused; None if the error has another cause."""
        if self._in_bucket:
            return buckets.refusal(error)
        number = _system_error(error)
        return None if number is None else os.strerror(number)

    def _may_be_damage(self, error: Exception) -> bool:
        """Whether an error while reading can be the data's fault, not the machine's."""
        if isinstance(error, MemoryError | jax.errors.JaxRuntimeError):
            return False
        if self._in_bucket:
            return buckets.refusal(error) is None
        return _system_error(error) not in _NO_DAMAGE


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


class _SyncedPath(ocp.path.atomicity.AtomicRenameTemporaryPath):
    """Folder of a checkpoint, which is on the disk before it gets its name."""

    async def finalize(self) -> None:
        await asyncio.to_thread(sync_folder, self.get())
        await super().finalize()
        # Before an older checkpoint is removed.
        await asyncio.to_thread(sync_folder, self.get_final())
        await asyncio.to_thread(sync, self.get_final().parent)


async def _with_all_it_began(work: Coroutine[None, None, T]) -> T:
    """Awaits a coroutine and, if it fails, all tasks that it started."""
    before = asyncio.all_tasks()
    try:
        return await work
    except Exception:
        while begun := asyncio.all_tasks() - before:
            await asyncio.wait(begun)
        raise


def _not_of_orbax(record: python_logging.LogRecord) -> bool:
    """Filters out Orbax's log: it is for developers, and errors are raised as well."""
    return f"{os.sep}orbax{os.sep}" not in record.pathname


def _not_left_by_orbax(record: python_logging.LogRecord) -> bool:
    """Filters out what asyncio says of Orbax's tasks that nobody awaits after the first failure."""
    return f"{os.sep}orbax{os.sep}" not in record.getMessage()


def _restore_args(target: dict, **options: bool) -> ocp.args.PyTreeRestore:
    arrays = ocp.checkpoint_utils.construct_restore_args(target)
    return ocp.args.PyTreeRestore(item=target, restore_args=arrays, **options)


def _shapes(tree: dict) -> dict[str, tuple[int, ...]]:
    return {name: tuple(leaf.shape) for name, leaf in checksums.named(tree).items()}


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


def _system_error(error: Exception) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    # TensorStore raises ValueError with the system's error code in the message.
    match = re.search(r"os_error_code='(\d+)'", f"{error} {error.__cause__}")
    return int(match[1]) if match else None


def _as_dict(state: TrainState) -> dict:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
