"""Checkpoints of a run: the state and the place in the data, saved together, asynchronously."""

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

from painting_jax.errors import UserError
from painting_jax.tasks.task import Task
from painting_jax.training.interruption import held_back
from painting_jax.training.state import TrainState, abstract_state

_PROBE = 16 << 20  # bytes
# Of a checkpoint, the files that Orbax takes for a part left out on purpose where they are missing.
_FILES = ("state/_METADATA", "state/manifest.ocdbt", "data/metadata")

T = TypeVar("T")


class Checkpoints:
    """The checkpoints in a run's workdir."""

    def __init__(self, workdir: epath.PathLike, *, keep: int = 1, read_only: bool = False):
        """Opens them.

        Args:
          workdir: of the run.
          keep: latest ones kept.
          read_only: nothing is created or tidied up: the run may be training at this moment.
        """
        self.folder = epath.Path(workdir).resolve() / "checkpoints"
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            create=not read_only,
            cleanup_tmp_directories=not read_only,
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
        """Steps done in the latest checkpoint, None if there is none."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainState, next_batch: int) -> None:
        """Saves in the background; the state may be donated as soon as this returns.

        Raises:
          UserError: if there is no room for it, or there was none for the one before.
        """
        if step == self.latest():
            return
        # Interrupted while it waits, Orbax reports at length and forgets what is being saved.
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
        """The latest state, laid out on the mesh, and the next batch's number.

        Raises:
          UserError: if the checkpoint is damaged.
        """
        target = _as_dict(abstract_state(task, mesh))
        with self._damage_told():
            restored = self._manager.restore(
                self.latest(),
                args=ocp.args.Composite(state=_restore_args(target), data=ocp.args.JsonRestore()),
            )
        return TrainState(**restored["state"]), restored["data"]["next_batch"]

    def restore_ema(self, task: Task, mesh: Mesh) -> dict:
        """The latest averaged parameters alone.

        Raises:
          UserError: if they are not those of the task's model, or the checkpoint is damaged.
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
        """Checks shapes. Orbax would, too, but as if the checkpoint were damaged."""
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
        """Waits for what is being saved, whoever is in a hurry.

        Raises:
          UserError: if the file system refused it.
        """
        with self._refusals_told(), held_back():
            self._manager.close()

    @contextlib.contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Turns what goes wrong in reading the latest checkpoint into a `UserError`."""
        folder = self.folder / str(self.latest())
        try:
            for name in _FILES:
                if not (folder / name).exists():
                    raise FileNotFoundError(f"{name} is missing")
            yield
        except UserError:
            raise
        except Exception as error:  # Orbax raises nothing narrower for corrupt data.
            # The cause speaks of the data; what is raised lists TensorStore's settings, too.
            reason = re.split(r"\. |\n", str(error.__cause__ or error))[0][:200]
            before = [step for step in self._manager.all_steps() if step != self.latest()]
            way_out = f": remove it to go back to step {max(before)}" if before else ""
            raise UserError(f"the checkpoint {folder} is damaged ({reason}){way_out}") from error

    @contextlib.contextmanager
    def _refusals_told(self) -> Iterator[None]:
        """Turns the file system's refusals into a `UserError`."""
        try:
            yield
        except (OSError, ValueError) as error:
            reason = _refusal(error)
            if reason is None:
                raise
            raise UserError(f"no checkpoint can be written to {self.folder}: {reason}") from error


class _ArrayHandler(ocp.type_handlers.ArrayHandler):
    """Reads and writes arrays as Orbax does, but leaves none under way when one of them fails.

    Orbax has an event loop for each restore and each save, and closes it at the first failure.
    TensorStore's threads go on with the other arrays, and report each that finds the loop closed.
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
            # With no limit to what is written at once, Orbax writes all arrays in one transaction,
            # which fails as a whole.
            info.byte_limiter = None
        return await super().serialize(values, infos, args)


async def _with_all_it_began(work: Coroutine[None, None, T]) -> T:
    """Awaits a coroutine and, if it fails, all tasks that it has started."""
    before = asyncio.all_tasks()
    try:
        return await work
    except Exception:
        while begun := asyncio.all_tasks() - before:
            await asyncio.wait(begun)
        raise


def _not_of_orbax(record: python_logging.LogRecord) -> bool:
    """Orbax raises what it logs, or it speaks to those who program with it."""
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
    """Raises OSError if a checkpoint will not fit, before any of it is written.

    Orbax finds out late, and leaves a part behind.
    """
    if not os.path.isdir(folder):
        return  # Not on this machine.
    size = sum(
        shard.data.nbytes for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards
    )
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # Quotas and limits do not show in the free space.
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(min(size, _PROBE)))


def _refusal(error: OSError | ValueError) -> str | None:
    """Why the file system refused, if that is what an error is about."""
    if isinstance(error, OSError):
        return error.strerror
    # TensorStore has errors of its own.
    match = re.search(r"os_error_code='(\d+)'", str(error))
    return os.strerror(int(match[1])) if match else None


def _as_dict(state: TrainState) -> dict:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
