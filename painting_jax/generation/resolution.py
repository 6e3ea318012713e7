"""Sizes of the videos that a Wan model makes: height and width, number of frames, latents."""

import math
import re

from painting_jax.data.buckets import fitted
from painting_jax.data.pictures import MAX_MEGAPIXELS
from painting_jax.errors import UserError
from painting_jax.models.codec import Codec

# The sizes that Wan's models of 14B were trained with. Those of either have the same layers.
_480P, _720P = (480, 832), (720, 1280)
_SHIFT_720P = 5.0  # of the noise levels, in Wan's own settings; 3 for 480P


def trained_area(name: str, family_area: int, shift: float | None) -> tuple[int, str]:
    """The area of the frames that a model was trained with.

    Args:
      name: Name of the model.
      family_area: Area that its family has by default.
      shift: Shift of the noise levels that it is published with; None = unknown.

    Returns:
      The area, and a line for the user on which one was taken and why; empty where there is one.
    """
    if family_area != math.prod(_480P):
        return family_area, ""
    words = re.search(r"(?P<lines>480|720)p(?![a-z0-9])", name, re.IGNORECASE)
    if words:
        size, why = (_720P if words["lines"] == "720" else _480P), "as its name says"
    elif shift is not None and shift >= _SHIFT_720P:
        size, why = _720P, f"as its scheduler's shift of {shift:g} is that of 720P"
    else:
        size, why = _480P, "as nothing says that it was trained at 720P"
    asked = "--max_area, --height and --width ask for other sizes"
    return math.prod(size), f"{name} paints frames like {size[0]}x{size[1]}, {why}; {asked}"


def completed(
    shape_HW: tuple[int, int], height: int | None, width: int | None, area: int, multiple: int
) -> tuple[int, int]:
    """Height and width of a video, each of which the user may have set.

    A side that is None follows from the picture's aspect ratio. For the other arguments see
    `fitted`.

    Raises:
      UserError: If a side is not a multiple of `multiple`, or the frames exceed the maximum size of
        a picture.
    """
    for name, side in (("height", height), ("width", width)):
        if side is not None and (side <= 0 or side % multiple):
            below = max(side // multiple * multiple, multiple)
            raise UserError(
                f"--{name}={side}: this model takes multiples of {multiple}, such as {below}"
            )
    if height is None and width is None:
        height, width = fitted(shape_HW, area, multiple)
    else:
        aspect = shape_HW[0] / shape_HW[1]
        if height is None:
            height = max(multiple, round(width * aspect) // multiple * multiple)
        if width is None:
            width = max(multiple, round(height / aspect) // multiple * multiple)
    if height * width > MAX_MEGAPIXELS * 10**6:
        raise UserError(
            f"frames of {height}x{width} pixels are more than {MAX_MEGAPIXELS} megapixels: ask for "
            "less with --height, --width or --max_area"
        )
    return height, width


def check_frames(frames: int, codec: Codec) -> None:
    """Refuses a number of frames that does not fill the latent frames.

    Raises:
      UserError: If it is not one more than a multiple of the codec's temporal factor.
    """
    step = codec.temporal
    if frames < 1 + step or (frames - 1) % step:
        near = max(1, (frames - 1) // step) * step + 1
        raise UserError(
            f"--frames={frames}: this model makes {step}k+1 frames, such as {near} or {near + step}"
        )


def latents_shape(codec: Codec, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
    """T, H, W, C of a video's latents."""
    t = (frames - 1) // codec.temporal + 1
    return t, height // codec.spatial, width // codec.spatial, codec.channels
