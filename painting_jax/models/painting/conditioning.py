"""Conditions of the pixel models: reference, medium, text, segments, progress.

Training and sampling both call these functions, so that a model is conditioned alike in both.
"""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from painting_jax import media
from painting_jax.models.codec import Codec, image_condition
from painting_jax.models.painting.modeling import Conditions, FullSize

# Names under which a condition can be dropped, shuffled or guided on.
FIELDS = {
    "reference": "image_BTHWC",
    "medium": "medium_BM",
    "text": "text_BL",
    "segments": "segments_BHW",
}

# Those of them that the pixel head takes at full size.
_AT_FULL_SIZE = {"reference": "reference_BHWC", "segments": "segments_BHW"}

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601


def luminance(picture_HWC: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
    """Rec. 601 luma, of one picture or of a batch."""
    return (picture_HWC * LUMA).sum(-1, keepdims=True)


def without_unpaintable_colour(
    picture_BHWC: Float[Array, "b h w 3"],
    medium_BM: Float[Array, "b m"],
    names: Sequence[str],
) -> Float[Array, "b h w 3"]:
    """The picture in grey where the medium has a single pigment, unchanged elsewhere.

    Args:
      picture_BHWC: RGB in [-1, 1].
      medium_BM: Weights over the media.
      names: Names of the M media, in the order of the weights.
    """
    mono_M = np.array([media.MEDIA[name].mono for name in names], np.float32)
    mono_B111 = (medium_BM @ mono_M)[:, None, None, None]
    return picture_BHWC + mono_B111 * (luminance(picture_BHWC) - picture_BHWC)


def condition(
    codec: Codec,
    batch: dict[str, Array],
    reference_BHWC: Float[Array, "b h w 3"],
    *,
    names: Sequence[str],
    everywhere: bool,
    mark_other_looks: bool = False,
) -> Conditions:
    """Conditions of a batch in reverse painting order.

    Args:
      codec: Picture space.
      batch: medium_BM, text_BL, segments_BHW and progress_BT in painted order. Optional:
        other_look_B, whether the reference is another look of the painting. The pictures may be
        larger than the latents of the codec: the pixel head then paints them at their size.
      reference_BHWC: Conditioning picture, RGB in [-1, 1].
      names: Names of the media.
      everywhere: Whether the reference is on every frame or on the first alone.
      mark_other_looks: Whether the mask of the image condition tells a reference in another look.
    """
    progress_BT = jnp.flip(batch["progress_BT"], 1)
    reference_BHWC = without_unpaintable_colour(reference_BHWC, batch["medium_BM"], names)
    segments_BHW, side = batch["segments_BHW"], codec.spatial
    full = FullSize(reference_BHWC, segments_BHW) if side > 1 else None
    image_BTHWC = image_condition(
        codec,
        reference_BHWC,
        progress_BT.shape[1],
        everywhere=everywhere,
    )
    if mark_other_looks and "other_look_B" in batch:
        image_BTHWC = _marked(image_BTHWC, batch["other_look_B"], codec.temporal)
    return Conditions(
        image_BTHWC=image_BTHWC,
        medium_BM=batch["medium_BM"],
        text_BL=batch["text_BL"],
        # Labels are not averaged: that of the middle of a block stands for it.
        segments_BHW=segments_BHW[:, side // 2 :: side, side // 2 :: side],
        progress_BT=progress_BT,
        full=full,
    )


def _marked(
    image_BTHWC: Float[Array, "b t h w c"], other_look_B: Bool[Array, " b"], mask_channels: int
) -> Float[Array, "b t h w c"]:
    """Turns the mask's 1 into -1 where the reference is another look of the painting.

    A white picture with dark lines may be a drawing that is to become a picture, or a picture that
    is to stay as it is: only the mark tells which.
    """
    sign_B = jnp.where(other_look_B, -1.0, 1.0)
    mask_BTHWC = image_BTHWC[..., :mask_channels] * sign_B[:, None, None, None, None]
    return jnp.concatenate([mask_BTHWC, image_BTHWC[..., mask_channels:]], -1)


def drop(conditions: Conditions, dropped_B: dict[str, Bool[Array, " b"]]) -> Conditions:
    """Replaces conditions by zeros, their empty value.

    Args:
      conditions: Conditions of a batch.
      dropped_B: By name (of `FIELDS`), the samples in which to drop it.
    """
    changes, full = {}, conditions.full
    for name, sample_B in dropped_B.items():
        changes[FIELDS[name]] = _zero_where(sample_B, getattr(conditions, FIELDS[name]))
        if full is not None and name in _AT_FULL_SIZE:
            field = _AT_FULL_SIZE[name]
            empty = _zero_where(sample_B, getattr(full, field))
            full = dataclasses.replace(full, **{field: empty})
    return dataclasses.replace(conditions, full=full, **changes)


def _zero_where(
    sample_B: Bool[Array, " b"], value: Shaped[Array, "b ..."]
) -> Shaped[Array, "b ..."]:
    chosen = sample_B.reshape(sample_B.shape + (1,) * (value.ndim - 1))
    return jnp.where(chosen, jnp.zeros_like(value), value)
