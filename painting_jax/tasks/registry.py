"""Chooses the task of an experiment."""

from etils import epath
from ml_collections import ConfigDict

from painting_jax.models.family import get_family
from painting_jax.tasks.finetune import Finetune
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.tasks.published import open_base
from painting_jax.tasks.task import Task


def make_task(config: ConfigDict, workdir: epath.PathLike) -> Task:
    """The task of an experiment whose run has begun.

    Args:
      config: Config of the experiment.
      workdir: Folder of the run.

    Raises:
      UserError: If the published model that it finetunes is missing or has changed.
    """
    if get_family(config.model.family).published:
        return Finetune(config, open_base(config, workdir))
    return FromScratch(config)
