"""Which of a model's transformers a run trains: the only one, or one of two experts."""

from ml_collections import ConfigDict

from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError

# Of two transformers, in the order in which they paint: what config.pretrained.expert calls them.
NAMES = ("high", "low")


def place(config: ConfigDict) -> int:
    """The trained transformer's place among the model's."""
    return NAMES.index(config.pretrained.expert or NAMES[0])


def check_expert(config: ConfigDict, folder: Folder) -> None:
    """Checks that the config names a transformer if, and only if, the model has two.

    Raises:
      UserError: if not, or if the model does not tell where the one hands over to the other.
    """
    name, two = config.pretrained.expert, folder.boundary is not None
    if two and not name:
        raise UserError(
            f"{folder.name} has two transformers, which are trained one at a time: set "
            "config.pretrained.expert=high or config.pretrained.expert=low"
        )
    if name and not two:
        raise UserError(
            f"config.pretrained.expert={name}: {folder.name} has one transformer, leave it empty"
        )


def levels(config: ConfigDict, boundary: float | None) -> tuple[float, float]:
    """The noise levels that the trained transformer paints at.

    Args:
      config: of the experiment.
      boundary: as of `Folder`.
    """
    if boundary is None:
        return 0.0, 1.0
    return (boundary, 1.0) if config.pretrained.expert == NAMES[0] else (0.0, boundary)
