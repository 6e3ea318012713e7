"""Painting with the parameters of a run, while it is trained and after."""

from collections.abc import Callable

from flax import nnx
from ml_collections import ConfigDict

from painting_jax.diffusion.painting import paint
from painting_jax.models import pixel_head
from painting_jax.models.codec import PixelCodec
from painting_jax.training import state as state_lib


def make_paint(config: ConfigDict, *, steps: int, guidance: float) -> Callable:
    """The function (params, batch, seed_B) -> frames_BTHWC, to be jitted; see `paint`.

    Args:
      config: of the experiment.
      steps: of the sampler.
      guidance: 1 = none.
    """
    graph = state_lib.graph(config)
    objective = state_lib.make_objective(config)

    def painted(params, batch, seed_B):
        if config.model.pixel_layers:
            head = pixel_head.firm(params["pixel_head"], config.sampling.firmness)
            params = params | {"pixel_head": head}
        return paint(
            nnx.merge(graph, params),
            batch,
            seed_B,
            codec=PixelCodec(),
            objective=objective,
            steps=steps,
            shift=config.sampling.shift,
            guidance_scale=guidance,
            guide_on=tuple(config.sampling.guide_on),
        )

    return painted
