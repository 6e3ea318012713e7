"""Terms of the training loss: the error of the velocity, and the structure of the picture.

Squared errors alone favour the mean of all possible continuations: half-painted regions and
blurred strokes. `structure_loss` compares the energy of edges in each cell of the picture. The
energy does not depend on the exact position of the edges, so the loss is low for a drawing with as
much detail as the recorded one.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from painting_jax.diffusion.flow_matching import NOISE_FLOOR, expand
from painting_jax.models.edge_energy import edge_energies


def velocity_loss(
    prediction: Float[Array, "b ..."],
    clean: Float[Array, "b ..."],
    noise: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    *,
    clean_prediction: bool,
    huber: float = 0.0,
    weights_BHW: Float[Array, "b h w"] | None = None,
) -> Float[Array, " b"]:
    """Error of the velocity, one number per sample.

    For a clean prediction the error is divided by the noise level, clipped at `NOISE_FLOOR`.

    Args:
      prediction: Output of the network.
      clean: Sample without noise.
      noise: Noise that was added.
      sigma_B: Noise level.
      clean_prediction: Whether the network predicts the clean sample, as in
        `flow_matching.velocity`.
      huber: Width of the pseudo-Huber loss, as in consistency training (arXiv 2310.14189). Errors
        whose root mean square over the channels is below it count quadratically, larger errors
        linearly. The network then predicts the likelier of two outcomes rather than their mean.
        0 squares all errors.
    """
    if clean_prediction:
        error = (prediction - clean) / jnp.maximum(expand(sigma_B, clean), NOISE_FLOOR)
    else:
        error = prediction - (noise - clean)
    square = jnp.square(error).mean(-1)
    if huber:
        square = 2 * huber * (jnp.sqrt(square + huber**2) - huber)
    if weights_BHW is None:
        return square.mean(range(1, square.ndim))
    return (square.mean(1) * weights_BHW).sum((1, 2)) / weights_BHW.sum((1, 2))


def structure_loss(
    prediction_BTHWC: Float[Array, "b t h w c"], target_BTHWC: Float[Array, "b t h w c"]
) -> Float[Array, " b"]:
    """Mean squared difference of the edge energies, summed over scales; one number per video.

    Args:
      prediction_BTHWC: Predicted video in [-1, 1], at least 8 x 8 pixels.
      target_BTHWC: Recorded video.
    """
    pairs = zip(edge_energies(prediction_BTHWC), edge_energies(target_BTHWC), strict=True)
    return sum(jnp.square(ours - theirs).mean((1, 2, 3)) for ours, theirs in pairs)


# Terms added to the velocity loss, each with the weight `config.objective.NAME`. They compare
# pictures, so they need a model that predicts the clean sample.
PICTURE_TERMS: dict[str, Callable[..., Float[Array, " b"]]] = {"structure": structure_loss}
