"""The parameters that samples use: those of a run's last checkpoint, or of a released run."""

import contextlib

from etils import epath
from jax.sharding import Mesh

from painting_jax.errors import UserError
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.tasks.task import Task
from painting_jax.training import released
from painting_jax.training.checkpoint import Checkpoints


def is_there(workdir: epath.PathLike) -> bool:
    """Whether a folder holds such parameters."""
    if released.is_released(workdir):
        return True
    if not (epath.Path(workdir) / "checkpoints").exists():
        return False
    with contextlib.closing(Checkpoints(workdir, read_only=True)) as checkpoints:
        return checkpoints.latest() is not None


def path(workdir: epath.PathLike, step: int) -> epath.Path:
    """The file or folder that holds them, after so many training steps."""
    folder = epath.Path(workdir)
    if released.is_released(folder):
        return folder / released.WEIGHTS
    return folder / "checkpoints" / str(step)


def restore(workdir: epath.PathLike, task: Task, mesh: Mesh) -> tuple[dict, int]:
    """The parameters, laid out on the mesh, and the number of training steps done.

    Raises:
      UserError: If there are none, they are damaged, or they do not fit the task's model.
    """
    if released.is_released(workdir):
        if not isinstance(task, FromScratch):
            raise UserError(f"{workdir} is a released run, whose config.json is of another model")
        return released.restore(workdir, task, mesh)
    none_yet = UserError(f"{workdir} has no checkpoint yet: train it first")
    if not (epath.Path(workdir) / "checkpoints").exists():
        raise none_yet
    with contextlib.closing(Checkpoints(workdir, read_only=True)) as checkpoints:
        if checkpoints.latest() is None:
            raise none_yet
        return checkpoints.restore_sampled(task, mesh)
