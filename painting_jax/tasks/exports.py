"""What a run on published weights leaves for other programs, and for `generate` and `convert`."""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

from etils import epath
from ml_collections import ConfigDict

from painting_jax.checkpoints.diffusers_folder import FIRST_FRAME, TRANSFORMERS
from painting_jax.config import read_config
from painting_jax.errors import UserError
from painting_jax.tasks.published import base_name, expert_index, is_finetuned
from painting_jax.tasks.task import make_model

# Of averaged parameters: at every checkpoint the LoRA, at the end all of the transformer.
LORA_FILE = "lora.safetensors"
TRANSFORMER = "transformer"


def left_by(workdir: epath.PathLike, config: ConfigDict) -> pathlib.Path:
    """A run's file of its LoRA, or its folder of the transformer.

    Args:
      workdir: of the run.
      config: of the run.

    Raises:
      UserError: if it has not come so far.
    """
    left = pathlib.Path(workdir) / (LORA_FILE if config.lora.enabled else TRANSFORMER)
    if not left.exists():
        first = "has no checkpoint yet" if config.lora.enabled else "has not come to its end"
        raise UserError(f"{workdir} {first}: train it first")
    return left


class Export(NamedTuple):
    """What there is to be converted of a run.

    Attributes:
      path: of its LoRA's file, or its transformer's folder.
      base: that the transformer belongs to; None of a LoRA.
      component: of a model that it is, or is for.
      index_changes: how the base's model_index.json changes with it.
    """

    path: pathlib.Path
    base: str | None
    component: str
    index_changes: Mapping


def to_convert(workdir: epath.PathLike) -> Export:
    """Finds it.

    Raises:
      UserError: if the folder is no run on published weights, or has left nothing yet.
    """
    config = read_config(workdir)
    if not is_finetuned(config):
        raise UserError(
            f"{workdir} trained a model of its own, which no other program knows: name a run on "
            "published weights"
        )
    left, sizes = left_by(workdir, config), make_model(config).config
    component = TRANSFORMERS[expert_index(config)]
    if config.lora.enabled:
        return Export(left, None, component, {})
    # A model of text alone has learnt to take a picture, the way that needs no more channels.
    index = FIRST_FRAME if sizes.in_channels == sizes.out_channels else {}
    return Export(left, base_name(config, workdir), component, index)
