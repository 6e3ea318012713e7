"""When each region of a picture is painted: profiles and the order of the regions.

A map of colour differences is averaged over each region at every time. A region is finished once
its distance stays below a small share of its distance on the blank canvas.
"""

import functools

import jax
import jax.numpy as jnp

from painting_jax.metrics import fidelity


@jax.jit
def colour_map(frames_BTHWC: jax.Array, finished_BHWC: jax.Array) -> jax.Array:
    """Colour difference of each pixel to the finished one, Delta E / 100: float32[B, T, H, W].

    Args:
      frames_BTHWC: RGB uint8.
      finished_BHWC: RGB uint8.
    """
    finished = fidelity.lab(finished_BHWC)
    # Frame by frame: a whole video in Lab takes four times its memory.
    by_time = jax.lax.map(
        lambda frame_BHWC: fidelity.lab_difference(fidelity.lab(frame_BHWC), finished),
        jnp.swapaxes(frames_BTHWC, 0, 1),
    )
    return jnp.swapaxes(by_time, 0, 1)


@functools.partial(jax.jit, static_argnames="regions")
def by_region(
    distance_BTHW: jax.Array, label_BHW: jax.Array, *, regions: int
) -> tuple[jax.Array, jax.Array]:
    """Averages a distance over every region at every time.

    Args:
      distance_BTHW: Maps of distances.
      label_BHW: Integers, 0 = unlabelled, 1..R = region; higher ones are ignored.
      regions: Number of regions R.

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
    """Progress from which on each region's distance stays low: float32[B, R].

    Low means at most `share` of its first distance, or at most `floor`. Infinity for a region that
    is not finished by the last frame.

    Args:
      distance_BRT: Distances in painted order.
      progress_BT: Rising progress.
      mask_BT: bool, True for frames, False for the padding after them.
      share: Share of the first distance.
      floor: Absolute threshold, in the unit of the distance.
    """
    low_BRT = distance_BRT <= jnp.maximum(share * distance_BRT[..., :1], floor)
    stays_BRT = jax.lax.cummin(
        (low_BRT | ~mask_BT[:, None]).astype(jnp.int32), axis=2, reverse=True
    )
    when_BRT = jnp.where((stays_BRT > 0) & mask_BT[:, None], progress_BT[:, None], jnp.inf)
    return jnp.min(when_BRT, axis=2)


@jax.jit
def agreement(a_BR: jax.Array, b_BR: jax.Array, mask_BR: jax.Array) -> jax.Array:
    """Kendall's tau-b of two orders: float32[B] in [-1, 1], 1 = the same order.

    NaN if fewer than two regions count, or all of them tie in a process.

    Args:
      a_BR: Progress at which each region is finished; may be infinite.
      b_BR: The same in another process.
      mask_BR: bool, True for regions that count.
    """
    once_RR = jnp.triu(jnp.ones((a_BR.shape[1],) * 2, bool), 1)
    pair_BRR = mask_BR[:, :, None] & mask_BR[:, None, :] & once_RR

    def sign(x_BR):
        # Compare instead of subtracting: the difference of two infinities is NaN.
        later = x_BR[:, None, :] > x_BR[:, :, None]
        earlier = x_BR[:, None, :] < x_BR[:, :, None]
        return jnp.where(pair_BRR, later.astype(jnp.int32) - earlier.astype(jnp.int32), 0)

    a, b = sign(a_BR), sign(b_BR)
    both, of_a, of_b = (jnp.sum(x, axis=(1, 2)).astype(jnp.float32) for x in (a * b, a * a, b * b))
    # Separate roots: the product overflows int32 for a few hundred regions.
    untied = jnp.sqrt(of_a) * jnp.sqrt(of_b)
    return jnp.where(untied > 0, both / jnp.where(untied > 0, untied, 1), jnp.nan)
