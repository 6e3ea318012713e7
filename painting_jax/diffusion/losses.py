"""The terms of the training loss: the error of the velocity, and the structure of the picture.

Squared errors alone ask for the mean of all that may be painted next: half-painted regions, and
strokes blurred away. `structure_loss` compares how much is drawn where: the energy of edges within
a cell does not depend on where exactly they lie, so a drawing is rewarded for being as rich as the
recorded one. Its filter bank has two orientations and three scales, after the statistics by which
textures are recognised (Portilla and Simoncelli, IJCV 2000).
"""

import functools
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from painting_jax.diffusion.flow_matching import NOISE_FLOOR, expand

_SCALES = (1, 2, 4)  # pixels averaged before slopes are taken
_CELL = 4  # smallest side, in pixels, of a cell within which energies are averaged
_FAINT = 1e-3  # energy that counts as none: a square root has no slope at 0


def velocity_loss(
    prediction: Float[Array, "b ..."],
    clean: Float[Array, "b ..."],
    noise: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    *,
    clean_prediction: bool,
    huber: float = 0.0,
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
    """
    if clean_prediction:
        error = (prediction - clean) / jnp.maximum(expand(sigma_B, clean), NOISE_FLOOR)
    else:
        error = prediction - (noise - clean)
    square = jnp.square(error).mean(-1)
    if huber:
        square = 2 * huber * (jnp.sqrt(square + huber**2) - huber)
    return square.mean(range(1, square.ndim))


def structure_loss(
    prediction_BTHWC: Float[Array, "b t h w c"], target_BTHWC: Float[Array, "b t h w c"]
) -> Float[Array, " b"]:
    """Mean squared difference of the edge energies, summed over scales; one number a video.

    Args:
      prediction_BTHWC: Predicted video in [-1, 1], at least 8 x 8 pixels.
      target_BTHWC: Recorded video.
    """
    pairs = zip(energies(prediction_BTHWC), energies(target_BTHWC), strict=True)
    return sum(jnp.square(ours - theirs).mean((1, 2, 3)) for ours, theirs in pairs)


# Terms added to the velocity loss, each with a weight `config.objective.NAME`. They judge pictures,
# so they need a model that predicts the clean sample.
PICTURE_TERMS: dict[str, Callable[..., Float[Array, " b"]]] = {"structure": structure_loss}


def energies(video_BTHWC: Float[Array, "b t h w c"]) -> list[Float[Array, "b t i j"]]:
    """Root mean square of the slopes of the brightness, cell by cell, for each scale."""
    light_BTHW = video_BTHWC.mean(-1)
    height, width = light_BTHW.shape[2:]
    result = []
    for scale in _SCALES:
        # Means and slopes are products with small matrices: quick forward and backward.
        rows, columns = math.ceil(height / scale), math.ceil(width / scale)
        small = _along(_means(height, rows), _means(width, columns), light_BTHW)
        across = jnp.einsum("bthw,jw->bthj", small, _slopes(columns))
        down = jnp.einsum("ih,bthw->btiw", _slopes(rows), small)
        cell = max(_CELL // scale, 2)
        i, j = math.ceil(rows / cell), math.ceil(columns / cell)
        energy = _along(_means(rows, i), _means(columns - 1, j), jnp.square(across))
        energy += _along(_means(rows - 1, i), _means(columns, j), jnp.square(down))
        result.append(jnp.sqrt(energy + _FAINT))
    return result


def _along(
    rows_IH: Float[np.ndarray, "i h"],
    columns_JW: Float[np.ndarray, "j w"],
    x_BTHW: Float[Array, "b t h w"],
) -> Float[Array, "b t i j"]:
    return jnp.einsum("bthj,ih->btij", jnp.einsum("bthw,jw->bthj", x_BTHW, columns_JW), rows_IH)


@functools.cache
def _means(size: int, parts: int) -> Float[np.ndarray, "parts size"]:
    """Means over `parts` groups of neighbours of nearly equal size."""
    member = np.arange(size) * parts // size == np.arange(parts)[:, None]
    return (member / member.sum(1, keepdims=True)).astype(np.float32)


@functools.cache
def _slopes(size: int) -> Float[np.ndarray, "n size"]:
    """Differences between neighbours."""
    return (np.eye(size, k=1) - np.eye(size))[:-1].astype(np.float32)
