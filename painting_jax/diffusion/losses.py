"""How much is drawn where: energies of edges, from fine to coarse, compared cell by cell.

Judged by the squares of pixels alone, the best guess at strokes that may lie here or there is
their mean, which has no strokes. The energy of edges within a cell does not depend on where
exactly they lie, so that a drawing is rewarded for being as rich as the recorded one. A bank of two
filters and three scales, after the statistics that textures are recognised by
(Portilla and Simoncelli, IJCV 2000).
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_SCALES = (1, 2, 4)  # pixels that are averaged before slopes are taken
_CELL = 4  # pixels along a side within which energies are averaged, at least
_FAINT = 1e-3  # energy that counts as none: the root has no slope at 0


def structure_loss(
    prediction_BTHWC: Float[Array, "b t h w c"], target_BTHWC: Float[Array, "b t h w c"]
) -> Float[Array, " b"]:
    """Mean squared difference of the energies, summed over scales; one number a video.

    Args:
      prediction_BTHWC: a video in [-1, 1], at least 8 x 8 pixels.
      target_BTHWC: the recorded one.
    """
    pairs = zip(energies(prediction_BTHWC), energies(target_BTHWC), strict=True)
    return sum(jnp.square(ours - theirs).mean((1, 2, 3)) for ours, theirs in pairs)


def energies(video_BTHWC: Float[Array, "b t h w c"]) -> list[Float[Array, "b t i j"]]:
    """Root mean square of the slopes of the light, cell by cell, for each scale."""
    light_BTHW = video_BTHWC.mean(-1)
    height, width = light_BTHW.shape[2:]
    found = []
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
        found.append(jnp.sqrt(energy + _FAINT))
    return found


def _along(
    rows_IH: Float[np.ndarray, "i h"],
    columns_JW: Float[np.ndarray, "j w"],
    x_BTHW: Float[Array, "b t h w"],
) -> Float[Array, "b t i j"]:
    return jnp.einsum("bthj,ih->btij", jnp.einsum("bthw,jw->bthj", x_BTHW, columns_JW), rows_IH)


@functools.cache
def _means(size: int, parts: int) -> Float[np.ndarray, "parts size"]:
    """Averages of parts of neighbours, as equal as they come out."""
    member = np.arange(size) * parts // size == np.arange(parts)[:, None]
    return (member / member.sum(1, keepdims=True)).astype(np.float32)


@functools.cache
def _slopes(size: int) -> Float[np.ndarray, "n size"]:
    """Differences of neighbours."""
    return (np.eye(size, k=1) - np.eye(size))[:-1].astype(np.float32)
