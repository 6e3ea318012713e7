"""What a run on published weights leaves for other programs, and for `generate` and `convert`."""

import pathlib

from etils import epath
from ml_collections import ConfigDict

from painting_jax.errors import UserError
from painting_jax.training.base_model import base_name
from painting_jax.training.checkpoint import read_config

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


def to_convert(workdir: epath.PathLike) -> tuple[pathlib.Path, str | None]:
    """What there is to be converted of a run.

    Returns:
      Its LoRA's file, or its transformer's folder; and the model that the transformer belongs to,
      None of a LoRA.

    Raises:
      UserError: if the folder is no run on published weights, or has left nothing yet.
    """
    config = read_config(workdir)
    if not config.get("pretrained", {}).get("family"):
        raise UserError(
            f"{workdir} trained a model of its own, which no other program knows: name a run on "
            "published weights"
        )
    left = left_by(workdir, config)
    return left, None if config.lora.enabled else base_name(config, workdir)
