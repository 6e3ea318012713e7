"""The config of a run, as its folder keeps it."""

import json

from etils import epath
from ml_collections import ConfigDict

from painting_jax.errors import UserError


def read_config(workdir: epath.PathLike) -> ConfigDict:
    """The config that a run was started with.

    Raises:
      UserError: if the folder is no run.
    """
    path = epath.Path(workdir) / "config.json"
    if not path.exists():
        raise UserError(f"{workdir} is no training run: it has no config.json")
    try:
        return ConfigDict(json.loads(path.read_text()))
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {error}") from None
