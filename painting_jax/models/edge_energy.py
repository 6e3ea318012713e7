"""Energy of edges: how much is drawn where, from fine to coarse.

A bank of two slope filters at three scales, after the statistics by which textures are recognised
(Portilla and Simoncelli, IJCV 2000). The energy within a cell does not depend on where exactly the
edges lie.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_SCALES = (1, 2, 4)  # pixels that are averaged before slopes are taken
_CELL = 4  # pixels a side within which energies are averaged, at least
_FAINT = 1e-3  # energy that counts as none: the root has no slope at 0


def edge_energies(video_BTHWC: Float[Array, "b t h w c"]) -> list[Float[Array, "b t _ _"]]:
    """Root mean square slope of the brightness in each cell, for each scale.

    Args:
      video_BTHWC: Video in [-1, 1], at least 8 x 8 pixels.
    """
    light_BTHW = video_BTHWC.mean(-1)
    height, width = light_BTHW.shape[2:]
    energies = []
    for scale in _SCALES:
        # Means and slopes are products with small matrices: fast forward and backward.
        rows, columns = math.ceil(height / scale), math.ceil(width / scale)
        small = _along(_means(height, rows), _means(width, columns), light_BTHW)
        across = jnp.einsum("bthw,jw->bthj", small, _slopes(columns))
        down = jnp.einsum("ih,bthw->btiw", _slopes(rows), small)
        cell = max(_CELL // scale, 2)
        i, j = math.ceil(rows / cell), math.ceil(columns / cell)
        energy = _along(_means(rows, i), _means(columns - 1, j), jnp.square(across))
        energy += _along(_means(rows - 1, i), _means(columns, j), jnp.square(down))
        energies.append(jnp.sqrt(energy + _FAINT))
    return energies


def _along(
    rows_IH: Float[np.ndarray, "i h"],
    columns_JW: Float[np.ndarray, "j w"],
    x_BTHW: Float[Array, "b t h w"],
) -> Float[Array, "b t i j"]:
    return jnp.einsum("bthj,ih->btij", jnp.einsum("bthw,jw->bthj", x_BTHW, columns_JW), rows_IH)


@functools.cache
def _means(size: int, parts: int) -> Float[np.ndarray, "parts size"]:
    """Averages of `parts` runs of neighbours of nearly equal length."""
    member = np.arange(size) * parts // size == np.arange(parts)[:, None]
    return (member / member.sum(1, keepdims=True)).astype(np.float32)


@functools.cache
def _slopes(size: int) -> Float[np.ndarray, "n size"]:
    """Differences of neighbours."""
    return (np.eye(size, k=1) - np.eye(size))[:-1].astype(np.float32)
