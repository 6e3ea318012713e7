"""Is the texture of paint consistent: does it stay once laid, and is it that of real paint?

Texture is what the Gram matrices of a network's features say (Gatys et al., NeurIPS 2015): which
features occur together, wherever they occur.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from painting_jax.models.vgg.modeling import VGG16

# Pixels a side of the cells by whose mean colour an area counts as finished. Averaging over them
# leaves out the texture, whose drift is what is to be seen.
_CELL = 8

# Blocks of the trunk: receptive fields of 5 to 92 pixels.
_BLOCKS = (0, 1, 2, 3)


class Drift(NamedTuple):
    """Of B videos, S = T - 1 steps.

    Attributes:
      drift_BS: relative difference of the Gram matrices, over the area that is finished, before
        and after the step; mean over the trunk's blocks, 0 = the same texture, at most 2. 0 where
        nothing is finished.
      area_BS: the share of the canvas that is finished before the step; 0 for steps into padding.
      mean_B: over the steps, weighted by that area; NaN where nothing is finished before the end.
    """

    drift_BS: jax.Array
    area_BS: jax.Array
    mean_B: jax.Array


class Textures(NamedTuple):
    """The textures of a set of recorded frames; streaming, in constant memory.

    Attributes:
      count: int32[].
      mean_S: float32[S], of the statistics.
      squares: float32[], the sum of squared distances to the mean.
    """

    count: jax.Array
    mean_S: jax.Array
    squares: jax.Array


@jax.jit
def gram(features_NHWD: jax.Array, weight_NHW: jax.Array) -> jax.Array:
    """The mean of f f^T over an area: float32[N, D, D].

    Args:
      features_NHWD: float32.
      weight_NHW: how much each place counts, at least 0; without any the matrix is 0.
    """
    product_NDD = jnp.einsum(
        "nhw,nhwd,nhwe->nde", weight_NHW, features_NHWD, features_NHWD, precision="highest"
    )
    total_N = jnp.sum(weight_NHW, axis=(1, 2))
    return product_NDD / jnp.where(total_N > 0, total_N, 1)[:, None, None]


@jax.jit
def finished(frames_BTHWC: jax.Array, mask_BT: jax.Array, threshold: float = 0.08) -> jax.Array:
    """Where, at each moment, the canvas has its final colour and keeps it: bool[B, T, I, J].

    Cells of 8 pixels a side, the rest at the right and lower edge left out. A cell counts only
    with its neighbours, for features look beyond it.

    Args:
      frames_BTHWC: RGB uint8, at least 8 x 8 pixels.
      mask_BT: bool, True for frames; padding comes after them.
      threshold: by which a channel of the mean colour, in [0, 1], may be off.
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


@functools.partial(nnx.jit, static_argnames="blocks")
def drift(
    trunk: VGG16,
    frames_BTHWC: jax.Array,
    mask_BT: jax.Array,
    threshold: float = 0.08,
    *,
    blocks: tuple[int, ...] = _BLOCKS,
) -> Drift:
    """How far the texture of finished areas drifts from frame to frame.

    Args:
      trunk: its features are the texture.
      frames_BTHWC: RGB uint8, at least 16 x 16 pixels.
      mask_BT: bool, True for frames; padding comes after them.
      threshold: of `finished`.
      blocks: of the trunk, from 0.
    """
    done_TBIJ = jnp.swapaxes(finished(frames_BTHWC, mask_BT, threshold), 0, 1)
    graph, state = nnx.split(trunk)

    def features(frame_BHWC):
        found = nnx.merge(graph, state)(frame_BHWC.astype(jnp.float32) / 255)
        return [found[block] for block in blocks]

    def step(before, now):
        frame_BHWC, done_BIJ = now
        after = features(frame_BHWC)
        total_B = jnp.zeros(len(frame_BHWC))
        for old, new in zip(before, after, strict=True):
            area_BHW = jax.image.resize(done_BIJ.astype(jnp.float32), old.shape[:3], "nearest")
            total_B += _apart(gram(old, area_BHW), gram(new, area_BHW))
        return after, (total_B / len(blocks), jnp.mean(done_BIJ, axis=(1, 2)))

    frames_TBHWC = jnp.swapaxes(frames_BTHWC, 0, 1)
    _, found = jax.lax.scan(step, features(frames_TBHWC[0]), (frames_TBHWC[1:], done_TBIJ[:-1]))
    drift_BS, area_BS = (jnp.where(mask_BT[:, 1:], x.T, 0) for x in found)
    total_B = jnp.sum(area_BS, axis=1)
    mean_B = jnp.sum(drift_BS * area_BS, axis=1) / jnp.where(total_B > 0, total_B, jnp.nan)
    return Drift(drift_BS, area_BS, mean_B)


@functools.partial(nnx.jit, static_argnames="blocks")
def statistics(
    trunk: VGG16, pictures_NHWC: jax.Array, *, blocks: tuple[int, ...] = (0, 1, 2)
) -> jax.Array:
    """The textures of whole pictures as vectors: float32[N, S].

    Each block's Gram matrix is scaled to unit length, so that no block outweighs the others and
    contrast does not count; S = sum of D (D + 1) / 2 over the blocks.

    Args:
      trunk: its features are the texture.
      pictures_NHWC: RGB uint8, at least 16 x 16 pixels.
      blocks: of the trunk, from 0.
    """
    return of_maps(trunk(pictures_NHWC.astype(jnp.float32) / 255), blocks=blocks)


def of_maps(found: tuple[jax.Array, ...], *, blocks: tuple[int, ...] = (0, 1, 2)) -> jax.Array:
    """The same of a trunk's activations."""
    parts = []
    for block in blocks:
        gram_NDD = gram(found[block], jnp.ones(found[block].shape[:3]))
        rows, columns = jnp.triu_indices(gram_NDD.shape[-1])
        # A value beside the diagonal stands for two.
        half_NS = gram_NDD[:, rows, columns] * jnp.where(rows == columns, 1, jnp.sqrt(2.0))
        length_N1 = jnp.linalg.norm(half_NS, axis=1, keepdims=True)
        parts.append(half_NS / jnp.maximum(length_N1, 1e-30))
    return jnp.concatenate(parts, axis=1) / jnp.sqrt(len(blocks))


def grams(found: tuple[jax.Array, ...], weight_NIJ: jax.Array) -> tuple[jax.Array, ...]:
    """The Gram matrices of a trunk's activations over an area, of the blocks that `drift` takes.

    Args:
      found: float32[N, H, W, D] each.
      weight_NIJ: how much each cell of the canvas counts.
    """
    return tuple(
        gram(found[block], jax.image.resize(weight_NIJ, found[block].shape[:3], "nearest"))
        for block in _BLOCKS
    )


@jax.jit
def drift_of(
    before: tuple[jax.Array, ...], after: tuple[jax.Array, ...], area_T: jax.Array
) -> jax.Array:
    """`Drift.mean_B` of one video from Gram matrices: float32[].

    Args:
      before: of `grams`, [T, D, D] each: of every frame over what was finished before it.
      after: over what is finished with it.
      area_T: the share of the canvas that is finished with each frame; 0 for padding.
    """
    total_S = sum(_apart(a[:-1], b[1:]) for a, b in zip(after, before, strict=True))
    # What padding would add is left out: its areas follow those of the last frame.
    area_S = jnp.where(area_T[1:] > 0, area_T[:-1], 0)
    area = jnp.sum(area_S)
    return jnp.sum(total_S / len(before) * area_S) / jnp.where(area > 0, area, jnp.nan)


def empty(width: int) -> Textures:
    """No frames yet, of `width` statistics."""
    return Textures(jnp.zeros((), jnp.int32), jnp.zeros(width), jnp.zeros(()))


@jax.jit
def add(textures: Textures, statistics_NS: jax.Array, mask_N: jax.Array) -> Textures:
    """Takes in a batch of recorded frames (Chan, Golub & LeVeque, 1979).

    Args:
      textures: the state.
      statistics_NS: from `statistics`.
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
    """The reverse of `add`: the set as it is without some of its members.

    Args:
      textures: the state.
      statistics_NS: of frames that it holds.
    """
    mean_S = jnp.mean(statistics_NS, axis=0)
    squares = jnp.sum((statistics_NS - mean_S) ** 2)
    count = textures.count - len(statistics_NS)
    share = len(statistics_NS) / jnp.maximum(count, 1)
    rest_S = jnp.where(count > 0, textures.mean_S + share * (textures.mean_S - mean_S), 0)
    between = count * len(statistics_NS) / textures.count * jnp.sum((rest_S - mean_S) ** 2)
    # Of members that are all alike rounding leaves a trifle, of either sign.
    left = textures.squares - squares - between
    left = jnp.where(left > 1e-5 * textures.squares, left, 0)
    return Textures(count, rest_S, jnp.where(count > 0, left, 0))


@jax.jit
def to_set(textures: Textures, statistics_NS: jax.Array) -> jax.Array:
    """How far textures are from the recorded ones: float32[N].

    Root of the squared distance to the set's mean over that of the set's own members: about 1 for
    frames like the recorded ones, larger for others. Infinity where the members are all alike.
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
