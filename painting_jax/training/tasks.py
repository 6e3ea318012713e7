"""The task of an experiment."""

from etils import epath
from ml_collections import ConfigDict

from painting_jax.training.picture_task import PictureTask
from painting_jax.training.task import Task


def make_task(config: ConfigDict, workdir: epath.PathLike) -> Task:
    """What an experiment trains.

    Args:
      config: of the experiment.
      workdir: of the run.

    Raises:
      UserError: if it starts from weights that are not there, do not fit, or have changed since
        the run was begun.
    """
    if not config.pretrained.family:
        return PictureTask(config)
    raise NotImplementedError(workdir)
