"""Conditions of the pixel models: reference, medium, text, segments, progress.

Training and sampling both call these functions, so that a model is conditioned alike in both.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from painting_jax import media
from painting_jax.models.codec import Codec, image_condition, to_float
from painting_jax.models.painting.modeling import Conditions
from painting_jax.models.painting.picture import Picture

# Names under which a condition can be dropped, shuffled or guided on.
FIELDS = {
    "reference": ("image_BTHWC",),
    "medium": ("medium_BM",),
    "text": ("text_BL",),
    "segments": (),
}
# The parts of a `Picture` that go with them.
_OF_A_PICTURE = {
    "reference": ("reference_BHWC", "behind_BHWC"),
    "segments": ("segments_BHW", "behind_BHWC", "behind_segments_BHW"),
}

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
    behind: bool = False,
    canvas: bool = False,
) -> Conditions:
    """Conditions of a batch in reverse painting order.

    Args:
      codec: Picture space.
      batch: medium_BM, text_BL, segments_BHW and progress_BT in painted order. Optional:
        other_look_B, whether the reference is another look of the painting; behind_BHWC and
        behind_segments_BHW, what lies behind the regions; canvas_BHWC and given_B, the canvas from
        which a process goes on, and where there is one. The pictures may be larger than the latents
        of the codec: the pixel head then paints them at their size.
      reference_BHWC: Conditioning picture, RGB in [-1, 1].
      names: Names of the media.
      everywhere: Whether the reference is on every frame or on the first alone.
      mark_other_looks: Whether the mask of the image condition tells a reference in another look.
      behind: Whether the model is told what lies behind regions; nothing does where the batch does
        not tell.
      canvas: Whether the model is told of canvases; none is given where the batch has none.
    """
    progress_BT = jnp.flip(batch["progress_BT"], 1)
    paintable = functools.partial(
        without_unpaintable_colour, medium_BM=batch["medium_BM"], names=names
    )
    picture = Picture(paintable(reference_BHWC), batch["segments_BHW"])
    if behind:
        picture = _with_behind(picture, batch, paintable)
    if canvas:
        picture = _with_canvas(picture, batch)
    small = _seen(picture, codec)
    image_BTHWC = image_condition(
        codec, picture.reference_BHWC, progress_BT.shape[1], everywhere=everywhere
    )
    if mark_other_looks and "other_look_B" in batch:
        image_BTHWC = _marked(image_BTHWC, batch["other_look_B"], codec.temporal)
    return Conditions(
        image_BTHWC=_canvas_shown(image_BTHWC, small, codec.temporal),
        medium_BM=batch["medium_BM"],
        text_BL=batch["text_BL"],
        progress_BT=progress_BT,
        picture=small,
        full=picture if codec.spatial > 1 else None,
    )


def _with_behind(picture: Picture, batch: dict[str, Array], paintable: Callable) -> Picture:
    """The picture with what lies behind its regions, which is nothing where the batch has none."""
    if "behind_BHWC" not in batch:
        nothing_BHW = jnp.zeros_like(picture.segments_BHW)
        return dataclasses.replace(
            picture, behind_BHWC=picture.reference_BHWC, behind_segments_BHW=nothing_BHW
        )
    return dataclasses.replace(
        picture,
        behind_BHWC=paintable(to_float(batch["behind_BHWC"])),
        behind_segments_BHW=batch["behind_segments_BHW"],
    )


def _with_canvas(picture: Picture, batch: dict[str, Array]) -> Picture:
    """The picture with the given canvas; zeros where the batch has none."""
    reference_BHWC = picture.reference_BHWC
    if "canvas_BHWC" not in batch:
        none_B = jnp.zeros(len(reference_BHWC), bool)
        return dataclasses.replace(
            picture, canvas_BHWC=jnp.zeros_like(reference_BHWC), given_B=none_B
        )
    given_B = batch["given_B"]
    canvas_BHWC = _zero_where(~given_B, to_float(batch["canvas_BHWC"]))
    return dataclasses.replace(picture, canvas_BHWC=canvas_BHWC, given_B=given_B)


def _seen(picture: Picture, codec: Codec) -> Picture:
    """The picture at the size of the latents."""
    side = codec.spatial
    if side == 1:
        return picture

    def small(values: Array | None) -> Array | None:
        if values is None or values.ndim == 1:
            return values
        if values.ndim == 4:
            return codec.encode(values[:, None])[:, 0]
        # Labels are not averaged: that of the middle of a block stands for it.
        return values[:, side // 2 :: side, side // 2 :: side]

    parts = {field.name: getattr(picture, field.name) for field in dataclasses.fields(picture)}
    return Picture(**{name: small(values) for name, values in parts.items()})


def _canvas_shown(
    image_BTHWC: Float[Array, "b t h w c"], picture: Picture, mask_channels: int
) -> Float[Array, "b t h w c"]:
    """Puts a given canvas in the place of the reference on the process's first frame, mask 0."""
    if picture.canvas_BHWC is None:
        return image_BTHWC
    mask_BHWC = jnp.zeros((*picture.canvas_BHWC.shape[:3], mask_channels))
    canvas_BHWC = jnp.concatenate([mask_BHWC, picture.canvas_BHWC], -1)
    given_B111 = picture.given_B[:, None, None, None]
    return image_BTHWC.at[:, -1].set(jnp.where(given_B111, canvas_BHWC, image_BTHWC[:, -1]))


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
    changes: dict[str, Any] = {}
    pictures = {"picture": conditions.picture, "full": conditions.full}
    for name, sample_B in dropped_B.items():
        for field in FIELDS[name]:
            changes[field] = _zero_where(sample_B, getattr(conditions, field))
        for size, picture in pictures.items():
            if picture is not None:
                parts = {
                    part: _zero_where(sample_B, getattr(picture, part))
                    for part in _OF_A_PICTURE.get(name, ())
                    if getattr(picture, part) is not None
                }
                pictures[size] = dataclasses.replace(picture, **parts)
    return dataclasses.replace(conditions, **(changes | pictures))


def _zero_where(
    sample_B: Bool[Array, " b"], value: Shaped[Array, "b ..."]
) -> Shaped[Array, "b ..."]:
    chosen = sample_B.reshape(sample_B.shape + (1,) * (value.ndim - 1))
    return jnp.where(chosen, jnp.zeros_like(value), value)
