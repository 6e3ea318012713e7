"""What steers a painting: reference, medium, text, segments, progress; built in one place.

Training and sampling both call these functions, so that a model is conditioned alike in both.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from painting_jax.models.codec import Codec
from painting_jax.models.painting.modeling import Conditions

# The names under which a condition can be dropped, shuffled or guided on.
FIELDS = {
    "reference": "image_BTHWC",
    "medium": "medium_BM",
    "text": "text_BL",
    "segments": "segments_BHW",
}


def image_condition(
    codec: Codec, reference_BHWC: Float[Array, "b h w 3"], frames: int, *, everywhere: bool
) -> Float[Array, "b t h w c"]:
    """Mask and latents of a video that shows the reference where the mask is 1.

    Args:
      codec: the picture space.
      reference_BHWC: RGB in [-1, 1].
      frames: of the video.
      everywhere: the reference on every frame (pixel models), or on the first alone, the others
        zero, as Wan's image-to-video models have it.

    Returns:
      Mask channels (one a frame of a latent) first, then the codec's channels, as Wan orders them.
    """
    batch = reference_BHWC.shape[0]
    mask_BT = jnp.ones((batch, frames)) if everywhere else jnp.eye(1, frames).repeat(batch, 0)
    video_BTHWC = reference_BHWC[:, None] * mask_BT[:, :, None, None, None]
    latents_BTHWC = codec.encode(video_BTHWC)
    # A causal codec gives the first frame a latent of its own: its mask fills all of that latent's.
    folded = jnp.concatenate([mask_BT[:, :1].repeat(codec.temporal - 1, 1), mask_BT], 1)
    folded = folded.reshape(batch, -1, 1, 1, codec.temporal)
    shape = (*latents_BTHWC.shape[:-1], codec.temporal)
    return jnp.concatenate([jnp.broadcast_to(folded, shape), latents_BTHWC], -1)


def drop(conditions: Conditions, dropped_B: dict[str, Bool[Array, " b"]]) -> Conditions:
    """Replaces conditions by their empty value, zero, where told to.

    Args:
      conditions: of a batch.
      dropped_B: by name (of `FIELDS`), for each sample whether to drop it.
    """
    changes = {}
    for name, gone_B in dropped_B.items():
        value = getattr(conditions, FIELDS[name])
        gone = gone_B.reshape(gone_B.shape + (1,) * (value.ndim - 1))
        changes[FIELDS[name]] = jnp.where(gone, jnp.zeros_like(value), value)
    return dataclasses.replace(conditions, **changes)


def drop_randomly(
    key: PRNGKeyArray, conditions: Conditions, probabilities: dict[str, float]
) -> Conditions:
    """Drops each condition of each sample with its probability, independently."""
    batch = conditions.medium_BM.shape[0]
    dropped_B = {
        name: jax.random.bernoulli(jax.random.fold_in(key, i), probabilities[name], (batch,))
        for i, name in enumerate(FIELDS)
    }
    return drop(conditions, dropped_B)
