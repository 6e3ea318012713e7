"""Which part of the picture is painted when: profiles and order of a label map's regions.

A map of distances (`colour_map`, or `perceptual_map`) is averaged over each region, at every
moment; a region is finished once its distance stays a small share of what it was on the blank
canvas.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx

from painting_jax.metrics import colour
from painting_jax.metrics.lpips import LPIPS


@jax.jit
def colour_map(frames_BTHWC: jax.Array, finished_BHWC: jax.Array) -> jax.Array:
    """How far each pixel's colour is from the finished one, Delta E / 100: float32[B, T, H, W].

    Args:
      frames_BTHWC: RGB uint8.
      finished_BHWC: RGB uint8.
    """
    finished = colour.lab(finished_BHWC)
    # Frame by frame: a whole video in Lab would be four times its size.
    by_time = jax.lax.map(
        lambda frame_BHWC: colour.apart(colour.lab(frame_BHWC), finished),
        jnp.swapaxes(frames_BTHWC, 0, 1),
    )
    return jnp.swapaxes(by_time, 0, 1)


@nnx.jit
def perceptual_map(distance: LPIPS, frames_BTHWC: jax.Array, finished_BHWC: jax.Array) -> jax.Array:
    """The same by the perceptual distance, layer by layer: float32[B, T, H, W].

    Args:
      distance: its `spatial` makes the maps.
      frames_BTHWC: RGB uint8, of a size that the trunk takes.
      finished_BHWC: RGB uint8.
    """
    graph, state = nnx.split(distance)
    by_time = jax.lax.map(
        lambda frame_BHWC: nnx.merge(graph, state).spatial(frame_BHWC, finished_BHWC),
        jnp.swapaxes(frames_BTHWC, 0, 1),
    )
    return jnp.swapaxes(by_time, 0, 1)


@functools.partial(jax.jit, static_argnames="regions")
def by_region(
    distance_BTHW: jax.Array, label_BHW: jax.Array, *, regions: int
) -> tuple[jax.Array, jax.Array]:
    """The mean distance of every region at every moment.

    Args:
      distance_BTHW: maps of distances.
      label_BHW: integers, 0 = unlabelled, 1..R = region; higher ones are left out.
      regions: R.

    Returns:
      float32[B, R, T] distances, 0 for a region without pixels; and float32[B, R], the share of
      the picture that each region covers.
    """

    def one(distance_THW, label_HW):
        label_P = label_HW.reshape(-1).astype(jnp.int32)
        add = functools.partial(jax.ops.segment_sum, segment_ids=label_P, num_segments=regions + 1)
        pixels_R = add(jnp.ones(label_P.shape))[1:]
        total_RT = add(distance_THW.reshape(len(distance_THW), -1).T)[1:]
        return total_RT / jnp.maximum(pixels_R, 1)[:, None], pixels_R / label_P.size

    return jax.vmap(one)(distance_BTHW, label_BHW)


@jax.jit
def finished_at(
    distance_BRT: jax.Array,
    progress_BT: jax.Array,
    mask_BT: jax.Array,
    share: float = 0.25,
    floor: float = 0.0,
) -> jax.Array:
    """The progress from which on each region's distance stays low: float32[B, R].

    Low is at most `share` of its first distance, or at most `floor`. Infinity for a region that
    does not get there by the last frame.

    Args:
      distance_BRT: in painted order.
      progress_BT: rising.
      mask_BT: bool, True for frames; padding comes after them.
      share: of the first distance.
      floor: in the distance's own unit.
    """
    low_BRT = distance_BRT <= jnp.maximum(share * distance_BRT[..., :1], floor)
    stays_BRT = jax.lax.cummin(
        (low_BRT | ~mask_BT[:, None]).astype(jnp.int32), axis=2, reverse=True
    )
    when_BRT = jnp.where((stays_BRT > 0) & mask_BT[:, None], progress_BT[:, None], jnp.inf)
    return jnp.min(when_BRT, axis=2)


@jax.jit
def order(finished_BR: jax.Array, present_BR: jax.Array) -> jax.Array:
    """The place of each region in the order of finishing: int32[B, R], 1 = first.

    Regions finished at once share the lower place; 0 for regions that are not present.

    Args:
      finished_BR: progress, from `finished_at`.
      present_BR: bool, True for regions that the picture has.
    """
    earlier_BRR = (finished_BR[:, None, :] < finished_BR[:, :, None]) & present_BR[:, None, :]
    return jnp.where(present_BR, 1 + jnp.sum(earlier_BRR, axis=2), 0)


@jax.jit
def agreement(a_BR: jax.Array, b_BR: jax.Array, mask_BR: jax.Array) -> jax.Array:
    """Kendall's tau-b of two orders: float32[B] in [-1, 1], 1 = the same order.

    Args:
      a_BR: when, or at which place, each region is finished; infinity is allowed.
      b_BR: the same in another process.
      mask_BR: bool, True for regions that count.

    Returns:
      NaN where fewer than two regions count, or all of them tie in a process.
    """
    once_RR = jnp.triu(jnp.ones((a_BR.shape[1],) * 2, bool), 1)
    pair_BRR = mask_BR[:, :, None] & mask_BR[:, None, :] & once_RR

    def sign(x_BR):
        # By comparison: the difference of two infinities is no number.
        later = x_BR[:, None, :] > x_BR[:, :, None]
        earlier = x_BR[:, None, :] < x_BR[:, :, None]
        return jnp.where(pair_BRR, later.astype(jnp.int32) - earlier.astype(jnp.int32), 0)

    a, b = sign(a_BR), sign(b_BR)
    both, of_a, of_b = (jnp.sum(x, axis=(1, 2)).astype(jnp.float32) for x in (a * b, a * a, b * b))
    # The product would not fit an integer of 32 bits for a few hundred regions.
    untied = jnp.sqrt(of_a) * jnp.sqrt(of_b)
    return jnp.where(untied > 0, both / jnp.where(untied > 0, untied, 1), jnp.nan)
