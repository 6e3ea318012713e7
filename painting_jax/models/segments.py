"""Features of segment maps, whose labels are numbered in painting order."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

CHANNELS = 9
MAX_LABELS = 64
_OCTAVES = 3


def segment_features(
    segments_BHW: UInt8[Array, "b h w"], outline: int = 1
) -> Float[Array, "b h w 9"]:
    """Features of the pixels of a segment map.

    A label says when a region is painted, not what it shows. So the features are the label over the
    number of regions, sinusoids of this rank, and the outlines. Unlabelled pixels are zero.

    Args:
      segments_BHW: labels 1..K in painting order, 0 = unlabelled; all 0 = no map.
      outline: width of the outlines in pixels.
    """
    labelled = (segments_BHW > 0).astype(jnp.float32)
    labels = segments_BHW.astype(jnp.float32)
    rank = labels / jnp.maximum(labels.max((1, 2), keepdims=True), 1)
    angles = jnp.pi * rank[..., None] * 2.0 ** jnp.arange(_OCTAVES)
    right = jnp.pad(labels[:, :, 1:] != labels[:, :, :-1], ((0, 0), (0, 0), (0, 1)))
    below = jnp.pad(labels[:, 1:] != labels[:, :-1], ((0, 0), (0, 1), (0, 0)))
    border = right | below
    if outline > 1:
        window = (1, outline, outline)
        border = jax.lax.reduce_window(border, False, jax.lax.bitwise_or, window, (1, 1, 1), "SAME")
    features = jnp.concatenate(
        [
            jnp.stack([jnp.ones_like(rank), rank, border.astype(jnp.float32)], -1),
            jnp.sin(angles),
            jnp.cos(angles),
        ],
        -1,
    )
    return features * labelled[..., None]


def flat_colours(
    picture_BHWC: Float[Array, "b h w c"], segments_BHW: UInt8[Array, "b h w"]
) -> Float[Array, "b h w c"]:
    """The mean colour of each pixel's region, for labels up to `MAX_LABELS`."""
    channels = picture_BHWC.shape[-1]

    def flat(picture_HWC, segments_HW):
        label_P = segments_HW.reshape(-1).astype(jnp.int32)
        sums = jax.ops.segment_sum(picture_HWC.reshape(-1, channels), label_P, MAX_LABELS + 1)
        counts = jax.ops.segment_sum(jnp.ones(label_P.shape), label_P, MAX_LABELS + 1)
        means = sums / jnp.maximum(counts, 1)[:, None]
        return means[label_P].reshape(picture_HWC.shape)

    return jax.vmap(flat)(picture_BHWC, segments_BHW)


def painting_times(
    segments_BHW: UInt8[Array, "b h w"],
    direction_B3: Float[Array, "b 3"] | None = None,
    asked_BHW: UInt8[Array, "b h w"] | None = None,
) -> Float[Array, "b h w n"]:
    """The time at which each pixel is painted if the regions are painted one after the other.

    The time for a region grows with the root of its area, so that small regions are visible in it.

    Args:
      segments_BHW: labels 1..K up to `MAX_LABELS`, in painting order; 0 = unlabelled.
      direction_B3: how far strokes advance in a region downwards, to the right, and outwards from
        the centre of the picture, -1..1 each; None = one time for each of these.
      asked_BHW: the region of which each pixel asks the time, such as one that lies behind it; a
        pixel beyond the region's extent is painted with its border. None = its own region.

    Returns:
      From -4 (first) to 4 (last), [b, h, w, 3] for strokes that advance downwards, to the right,
      and outwards, or [b, h, w, 1] in the direction; 0 where unlabelled.
    """
    height, width = segments_BHW.shape[1:]
    y, x = jnp.meshgrid(jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width), indexing="ij")
    along_P3 = jnp.stack([y, x, jnp.hypot(y, x)], -1).reshape(-1, 3)

    def painting_time(segments_HW, direction_3, asked_HW):
        label_P = segments_HW.reshape(-1).astype(jnp.int32)
        labelled_P = (label_P > 0).astype(jnp.float32)
        area_K = jax.ops.segment_sum(labelled_P, label_P, MAX_LABELS + 1)
        time_K = jnp.sqrt(area_K)
        start_K = jnp.cumsum(time_K) - time_K
        first_K3 = jax.ops.segment_min(along_P3, label_P, MAX_LABELS + 1)
        last_K3 = jax.ops.segment_max(along_P3, label_P, MAX_LABELS + 1)
        if asked_HW is not None:
            label_P = asked_HW.reshape(-1).astype(jnp.int32)
            labelled_P = (label_P > 0).astype(jnp.float32)
        extent_P3 = jnp.maximum((last_K3 - first_K3)[label_P], 1e-6)
        share_Pn = (along_P3 - first_K3[label_P]) / extent_P3
        if asked_HW is not None:
            share_Pn = jnp.clip(share_Pn, 0, 1)
        if direction_3 is not None:
            share_Pn = 0.5 + ((share_Pn - 0.5) * direction_3).sum(-1, keepdims=True)
        time_Pn = start_K[label_P, None] + time_K[label_P, None] * share_Pn
        time_Pn = time_Pn / jnp.maximum(time_K.sum(), 1e-6)
        return (8 * time_Pn - 4) * labelled_P[:, None]

    times_BPn = jax.vmap(painting_time)(segments_BHW, direction_B3, asked_BHW)
    return times_BPn.reshape(*segments_BHW.shape, -1)
