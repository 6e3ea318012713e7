"""The task of an experiment."""

from etils import epath
from ml_collections import ConfigDict

from painting_jax.tasks.base_model import open_base
from painting_jax.tasks.painting_task import PictureTask
from painting_jax.tasks.task import Task
from painting_jax.tasks.wan_task import WanTask


def make_task(config: ConfigDict, workdir: epath.PathLike) -> Task:
    """What an experiment trains.

    Args:
      config: of the experiment.
      workdir: of the run, which has begun.

    Raises:
      UserError: if it trains published weights that are not there, or have changed.
    """
    if config.pretrained.family:
        return WanTask(config, open_base(config, workdir))
    return PictureTask(config)
