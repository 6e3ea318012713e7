"""Exported weights of a finetuned model, for `generate`, `convert` and other programs."""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

from etils import epath
from ml_collections import ConfigDict

from painting_jax.checkpoints.diffusers_folder import FIRST_FRAME, TRANSFORMERS
from painting_jax.checkpoints.save import CONFIG
from painting_jax.errors import UserError
from painting_jax.files import local
from painting_jax.tasks.published import base_name, expert_index
from painting_jax.tasks.task import make_model

# Exports of averaged parameters. The LoRA is written at every checkpoint, the transformer once, at
# the end of the run.
LORA_FILE = "lora.safetensors"
TRANSFORMER = "transformer"


def left_by(workdir: epath.PathLike, config: ConfigDict) -> pathlib.Path:
    """Path of a run's export: the file of its LoRA, or the folder of its transformer.

    That of a run in a bucket is copied to this machine first.

    Args:
      workdir: Folder of the run.
      config: Config of the run.

    Raises:
      UserError: If the run has not written it yet.
    """
    left = epath.Path(workdir) / (LORA_FILE if config.lora.enabled else TRANSFORMER)
    if not (left if config.lora.enabled else left / CONFIG).exists():
        first = "has no checkpoint yet" if config.lora.enabled else "has not come to its end"
        raise UserError(f"{workdir} {first}: train it first")
    return local(left)


class Export(NamedTuple):
    """A run's export, as input of `convert`.

    Attributes:
      path: Path of the LoRA's file or the transformer's folder.
      base: Published model that the transformer belongs to; None for a LoRA.
      component: Component that the transformer replaces or the LoRA adapts.
      index_changes: Changes to the base's model_index.json.
    """

    path: pathlib.Path
    base: str | None
    component: str
    index_changes: Mapping


def to_convert(workdir: epath.PathLike, config: ConfigDict) -> Export:
    """The export of a run that finetunes a published model.

    Args:
      workdir: Folder of the run.
      config: Config of the run.

    Raises:
      UserError: If the run has not written an export yet.
    """
    left, sizes = left_by(workdir, config), make_model(config).config
    component = TRANSFORMERS[expert_index(config)]
    if config.lora.enabled:
        return Export(left, None, component, {})
    # A text-to-video model has learned to take a picture as its first frame, which needs no further
    # channels.
    index = FIRST_FRAME if sizes.in_channels == sizes.out_channels else {}
    return Export(left, base_name(config, workdir), component, index)
