"""Texture of paint: whether it stays once laid, and whether it resembles recorded paint.

Texture is described by the Gram matrices of a network's features (Gatys et al., NeurIPS 2015),
which say what features occur together, wherever they occur.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Pixels a side of the cells whose mean colour decides whether an area is finished. The mean removes
# the texture, whose drift is to be measured.
_CELL = 8

# Stages of the trunk whose Gram matrices measure drift (receptive fields of 5 to 92 pixels), and
# those that describe the texture of a whole picture.
_DRIFT_STAGES = (0, 1, 2, 3)
_TEXTURE_STAGES = (0, 1, 2)


class Textures(NamedTuple):
    """Running moments of the textures of a set of frames.

    Attributes:
      count: Number of frames, int32[].
      mean_S: Mean of the statistics, float32[S].
      squares: Sum of squared distances to the mean, float32[].
    """

    count: jax.Array
    mean_S: jax.Array
    squares: jax.Array


@jax.jit
def gram(features_NHWD: jax.Array, weight_NHW: jax.Array) -> jax.Array:
    """Weighted mean of f f^T over an area: float32[N, D, D].

    Args:
      features_NHWD: float32.
      weight_NHW: Weight of each position, at least 0; all zeros give a zero matrix.
    """
    product_NDD = jnp.einsum(
        "nhw,nhwd,nhwe->nde", weight_NHW, features_NHWD, features_NHWD, precision="highest"
    )
    total_N = jnp.sum(weight_NHW, axis=(1, 2))
    return product_NDD / jnp.where(total_N > 0, total_N, 1)[:, None, None]


@jax.jit
def finished(frames_BTHWC: jax.Array, mask_BT: jax.Array, threshold: float = 0.08) -> jax.Array:
    """Cells that have their final colour and keep it, at each time: bool[B, T, I, J].

    Cells are 8 pixels a side; pixels left over at the right and lower edge are ignored. A cell
    counts only if its neighbours do, since receptive fields reach beyond it.

    Args:
      frames_BTHWC: RGB uint8, at least 8 x 8 pixels.
      mask_BT: bool, True for frames, False for the padding after them.
      threshold: Largest difference of a channel of the mean colour, in [0, 1].
    """
    b, _, h, w, _ = frames_BTHWC.shape
    i, j = h // _CELL, w // _CELL
    cells = jax.lax.map(
        lambda frame_BHWC: jnp.mean(
            frame_BHWC[:, : i * _CELL, : j * _CELL]
            .astype(jnp.float32)
            .reshape(b, i, _CELL, j, _CELL, 3),
            axis=(2, 4),
        ),
        jnp.swapaxes(frames_BTHWC, 0, 1),
    )
    cells_BTIJC = jnp.swapaxes(cells, 0, 1) / 255
    last_B = jnp.sum(mask_BT, axis=1) - 1
    apart = jnp.abs(cells_BTIJC - cells_BTIJC[jnp.arange(b), last_B][:, None])
    most_BTIJ = jnp.maximum(jnp.maximum(apart[..., 0], apart[..., 1]), apart[..., 2])
    near_BTIJ = (most_BTIJ <= threshold) | ~mask_BT[:, :, None, None]
    stays_BTIJ = jax.lax.cummin(near_BTIJ.astype(jnp.float32), axis=1, reverse=True)
    stays_BTIJ = jax.lax.reduce_window(
        stays_BTIJ, jnp.inf, jax.lax.min, (1, 1, 3, 3), (1, 1, 1, 1), "SAME"
    )
    return (stays_BTIJ > 0) & mask_BT[:, :, None, None]


def statistics(maps: tuple[jax.Array, ...]) -> jax.Array:
    """Texture of whole pictures as vectors: float32[N, S].

    Each stage's Gram matrix is scaled to unit length, so that all stages weigh the same and
    contrast has no effect; S = sum of D (D + 1) / 2 over the stages.

    Args:
      maps: Activations of the trunk's stages, float32[N, H, W, D] each.
    """
    parts = []
    for stage in _TEXTURE_STAGES:
        gram_NDD = gram(maps[stage], jnp.ones(maps[stage].shape[:3]))
        # Known when it is compiled: there is less to compile.
        rows, columns = np.triu_indices(gram_NDD.shape[-1])
        # Off-diagonal values stand for two entries of the symmetric matrix.
        twice_S = np.where(rows == columns, 1, np.sqrt(2)).astype(np.float32)
        half_NS = gram_NDD[:, rows, columns] * twice_S
        length_N1 = jnp.linalg.norm(half_NS, axis=1, keepdims=True)
        parts.append(half_NS / jnp.maximum(length_N1, 1e-30))
    return jnp.concatenate(parts, axis=1) / jnp.sqrt(len(_TEXTURE_STAGES))


def grams(maps: tuple[jax.Array, ...], weight_NIJ: jax.Array) -> tuple[jax.Array, ...]:
    """Gram matrices over an area, of the stages that `drift` uses.

    Args:
      maps: Activations of the trunk's stages, float32[N, H, W, D] each.
      weight_NIJ: Weight of each cell of the canvas.
    """
    return tuple(
        gram(maps[stage], jax.image.resize(weight_NIJ, maps[stage].shape[:3], "nearest"))
        for stage in _DRIFT_STAGES
    )


@jax.jit
def drift(
    before: tuple[jax.Array, ...], after: tuple[jax.Array, ...], area_T: jax.Array
) -> jax.Array:
    """Mean change of the texture of finished areas from frame to frame: float32[].

    The change of a step is the relative difference of the Gram matrices over the area that was
    finished before it, averaged over the stages: 0 = the same texture, at most 2. Steps are
    weighted by that area. NaN if nothing is finished before the end.

    Args:
      before: `grams` of every frame over what was finished before it, [T, D, D] each.
      after: `grams` of every frame over what is finished with it, [T, D, D] each.
      area_T: Share of the canvas that is finished with each frame; 0 for padding.
    """
    total_S = sum(_apart(a[:-1], b[1:]) for a, b in zip(after, before, strict=True))
    # Steps into padding do not count.
    area_S = jnp.where(area_T[1:] > 0, area_T[:-1], 0)
    area = jnp.sum(area_S)
    return jnp.sum(total_S / len(before) * area_S) / jnp.where(area > 0, area, jnp.nan)


def empty(width: int) -> Textures:
    """Moments of no frames, for `width` statistics."""
    return Textures(jnp.zeros((), jnp.int32), jnp.zeros(width), jnp.zeros(()))


@jax.jit
def add(textures: Textures, statistics_NS: jax.Array, mask_N: jax.Array) -> Textures:
    """Adds a batch of frames (Chan, Golub & LeVeque, 1979).

    Args:
      textures: Moments so far.
      statistics_NS: From `statistics`.
      mask_N: bool, True for frames, False for padding.
    """
    count = jnp.sum(mask_N, dtype=jnp.int32)
    kept_NS = jnp.where(mask_N[:, None], statistics_NS, 0)
    mean_S = jnp.sum(kept_NS, axis=0) / jnp.maximum(count, 1)
    squares = jnp.sum(jnp.where(mask_N[:, None], (kept_NS - mean_S) ** 2, 0))
    together = textures.count + count
    share = count / jnp.maximum(together, 1)
    apart_S = mean_S - textures.mean_S
    return Textures(
        together,
        textures.mean_S + share * apart_S,
        textures.squares + squares + textures.count * share * jnp.sum(apart_S**2),
    )


@jax.jit
def without(textures: Textures, statistics_NS: jax.Array) -> Textures:
    """Removes frames from the moments: the inverse of `add`.

    Args:
      textures: Moments that include the frames.
      statistics_NS: Statistics of the frames to remove.
    """
    mean_S = jnp.mean(statistics_NS, axis=0)
    squares = jnp.sum((statistics_NS - mean_S) ** 2)
    count = textures.count - len(statistics_NS)
    share = len(statistics_NS) / jnp.maximum(count, 1)
    rest_S = jnp.where(count > 0, textures.mean_S + share * (textures.mean_S - mean_S), 0)
    between = count * len(statistics_NS) / textures.count * jnp.sum((rest_S - mean_S) ** 2)
    # With identical members only rounding of either sign remains.
    left = textures.squares - squares - between
    left = jnp.where(left > 1e-5 * textures.squares, left, 0)
    return Textures(count, rest_S, jnp.where(count > 0, left, 0))


@jax.jit
def to_set(textures: Textures, statistics_NS: jax.Array) -> jax.Array:
    """Distance of textures from those of a set, relative to the set's own spread: float32[N].

    Distance to the set's mean over the root mean square distance of its members: about 1 for
    similar frames, larger for others. Infinity if all members are alike.
    """
    spread = textures.squares / jnp.maximum(textures.count, 1)
    apart_N = jnp.sum((statistics_NS - textures.mean_S) ** 2, axis=1)
    return jnp.where(spread > 0, jnp.sqrt(apart_N / jnp.where(spread > 0, spread, 1)), jnp.inf)


def _apart(a_NDD: jax.Array, b_NDD: jax.Array) -> jax.Array:
    """|A - B| relative to their mean size, in the Frobenius norm: float32[N] in [0, 2]."""
    apart, size_a, size_b = (
        jnp.sqrt(jnp.sum(x**2, axis=(1, 2))) for x in (a_NDD - b_NDD, a_NDD, b_NDD)
    )
    size = (size_a + size_b) / 2
    return jnp.where(size > 0, apart / jnp.where(size > 0, size, 1), 0)
