"""What the transformer sees of a segment map."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

CHANNELS = 9
MOST_LABELS = 64
_OCTAVES = 3


def segment_features(
    segments_BHW: UInt8[Array, "b h w"], spatial: int
) -> Float[Array, "b h2 w2 9"]:
    """Features of a label map whose labels are numbered in painting order.

    A label says when its region is painted, not what it is, so it enters as its rank's share of the
    picture's regions with sinusoids of it, beside the outlines. Unlabelled pixels (0) are zero.

    Args:
      segments_BHW: labels 1..K, 0 = unlabelled; all 0 = no map.
      spatial: pixels along one side of a latent; features are averaged over them.
    """
    labelled = (segments_BHW > 0).astype(jnp.float32)
    labels = segments_BHW.astype(jnp.float32)
    rank = labels / jnp.maximum(labels.max((1, 2), keepdims=True), 1)
    angles = jnp.pi * rank[..., None] * 2.0 ** jnp.arange(_OCTAVES)
    right = jnp.pad(labels[:, :, 1:] != labels[:, :, :-1], ((0, 0), (0, 0), (0, 1)))
    below = jnp.pad(labels[:, 1:] != labels[:, :-1], ((0, 0), (0, 1), (0, 0)))
    outline = (right | below).astype(jnp.float32)
    features = jnp.concatenate(
        [
            jnp.stack([jnp.ones_like(rank), rank, outline], -1),
            jnp.sin(angles),
            jnp.cos(angles),
        ],
        -1,
    )
    features = features * labelled[..., None]
    b, h, w, c = features.shape
    blocks = features.reshape(b, h // spatial, spatial, w // spatial, spatial, c)
    return blocks.mean((2, 4))


def flat_colours(
    picture_BHWC: Float[Array, "b h w c"], segments_BHW: UInt8[Array, "b h w"]
) -> Float[Array, "b h w c"]:
    """Each pixel gets the mean colour of its region; labels up to `MOST_LABELS`."""
    channels = picture_BHWC.shape[-1]

    def flat(picture_HWC, segments_HW):
        label_P = segments_HW.reshape(-1).astype(jnp.int32)
        sums = jax.ops.segment_sum(picture_HWC.reshape(-1, channels), label_P, MOST_LABELS + 1)
        counts = jax.ops.segment_sum(jnp.ones(label_P.shape), label_P, MOST_LABELS + 1)
        means = sums / jnp.maximum(counts, 1)[:, None]
        return means[label_P].reshape(picture_HWC.shape)

    return jax.vmap(flat)(picture_BHWC, segments_BHW)
