"""The training objective of an experiment."""

from ml_collections import ConfigDict

from painting_jax import media
from painting_jax.diffusion import cross_media
from painting_jax.diffusion.reverse_painting import Objective


def make_objective(
    config: ConfigDict, *, given: int = 0, between: tuple[float, float] = (0.0, 1.0)
) -> Objective:
    """The objective that a config tells of; `given` and `between` as of `Objective`."""
    known = media.entries(config.model.media)
    return Objective(
        clean_prediction=config.objective.clean_prediction,
        law=config.objective.noise_distribution,
        mean=config.objective.mean,
        std=config.objective.std,
        shift=config.objective.shift,
        reference_everywhere=config.objective.reference_everywhere,
        augment=config.objective.augment,
        looks_MA=tuple(
            tuple(float(look in medium.looks) for look in cross_media.LOOKS) for medium in known
        ),
        mono_M=tuple(float(medium.mono) for medium in known),
        drop=config.objective.drop.to_dict(),
        huber=config.objective.huber,
        structure=config.objective.structure,
        between=between,
        given=given,
    )
