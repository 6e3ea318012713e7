"""Checkpoints of a run: the state and the place in the data, saved together, asynchronously."""

import contextlib
import dataclasses
import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator

import jax
import orbax.checkpoint as ocp
from etils import epath
from jax.sharding import Mesh

from painting_jax.errors import UserError
from painting_jax.tasks.task import Task
from painting_jax.training.interruption import held_back
from painting_jax.training.state import TrainState, abstract_state

_PROBE = 16 << 20  # bytes


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
        self._manager = ocp.CheckpointManager(self.folder, options=options)

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
                    state=ocp.args.StandardSave(_as_dict(state)),
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
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(target), data=ocp.args.JsonRestore()
                ),
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
                args=ocp.args.Composite(
                    state=ocp.args.PyTreeRestore(
                        item=target,
                        restore_args=ocp.checkpoint_utils.construct_restore_args(target),
                        partial_restore=True,
                    )
                ),
            )
        return restored["state"]["ema_params"]

    def _check_fit(self, target: dict) -> None:
        """Checks shapes. Orbax would, too, but reports from its threads while it fails."""
        folder = self.folder / str(self.latest())
        stored = ocp.PyTreeCheckpointHandler().metadata(folder / "state").tree
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
        try:
            with _late_arrivals_unheard():
                yield
        except UserError:
            raise
        except Exception as error:  # Orbax raises nothing narrower for corrupt data.
            # The cause speaks of the data; what is raised lists TensorStore's settings, too.
            reason = str(error.__cause__ or error).partition(". ")[0][:200]
            before = [step for step in self._manager.all_steps() if step != self.latest()]
            way_out = f": remove it to go back to step {max(before)}" if before else ""
            raise UserError(
                f"the checkpoint {self.folder / str(self.latest())} is damaged ({reason}){way_out}"
            ) from error

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


def _shapes(tree: dict) -> dict[str, tuple[int, ...]]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


@contextlib.contextmanager
def _late_arrivals_unheard() -> Iterator[None]:
    """Orbax closes its event loop over the first damaged array, while others are still being read.

    TensorStore's threads report each that arrives at a closed loop, at length and into the middle
    of the one line that says what is wrong. Hence they are not heard after a failure either.
    """
    heard = sys.unraisablehook

    def hook(raised: "sys.UnraisableHookArgs") -> None:
        late = isinstance(raised.exc_value, RuntimeError) and "loop is closed" in str(
            raised.exc_value
        )
        if not late:
            heard(raised)

    sys.unraisablehook = hook
    yield
    sys.unraisablehook = heard


def _check_room(folder: epath.Path, state: TrainState) -> None:
    """Raises OSError if a checkpoint will not fit, before any of it is written.

    Orbax finds out in its threads, each of which reports at length, and leaves a part behind.
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
