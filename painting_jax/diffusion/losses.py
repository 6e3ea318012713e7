"""The terms of the training loss: the error of the velocity, and the structure of the picture.

Squared errors alone ask for the mean of all that may be painted next: half-painted regions, and
strokes blurred away. `structure_loss` compares how much is drawn where: the energy of edges within
a cell does not depend on where exactly they lie, so a drawing is rewarded for being as rich as the
recorded one.
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
    """Error of the velocity, one number a sample.

    The velocity of a clean prediction divides by the noise level, here clipped at `NOISE_FLOOR`.

    Args:
      prediction: Output of the network.
      clean: Sample without noise.
      noise: Noise that was added.
      sigma_B: Noise level.
      clean_prediction: Whether the network predicts the clean sample, as in
        `flow_matching.velocity`.
      huber: Root mean square over the channels up to which an error counts by its square; larger
        errors count by their size, as in consistency training (pseudo-Huber, arXiv 2310.14189), so
        that the likelier of two outcomes is predicted rather than their mean. 0 squares all errors.
      weights_BHW: Weight of each place of a video [b, t, h, w, c]; None = all are equal.
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
    """Mean squared difference of the edge energies, summed over scales; one number a video.

    Args:
      prediction_BTHWC: Predicted video in [-1, 1], at least 8 x 8 pixels.
      target_BTHWC: Recorded video.
    """
    pairs = zip(edge_energies(prediction_BTHWC), edge_energies(target_BTHWC), strict=True)
    return sum(jnp.square(ours - theirs).mean((1, 2, 3)) for ours, theirs in pairs)


# Terms added to the velocity loss, each with a weight `config.objective.NAME`. They judge pictures,
# so they need a model that predicts the clean sample.
PICTURE_TERMS: dict[str, Callable[..., Float[Array, " b"]]] = {"structure": structure_loss}
