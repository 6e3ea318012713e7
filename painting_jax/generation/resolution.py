"""Sizes of the videos that a Wan model makes: heights and widths, frames, latents."""

from painting_jax.data.buckets import fitted
from painting_jax.data.pictures import MAX_MEGAPIXELS
from painting_jax.errors import UserError
from painting_jax.models.codec import Codec


def completed(
    shape_HW: tuple[int, int], height: int | None, width: int | None, area: int, multiple: int
) -> tuple[int, int]:
    """Height and width of a video where the user may have asked for either.

    Arguments as of `fitted`; the side that is not asked for follows from the picture's aspect.

    Raises:
      UserError: if a side is no multiple of what the model asks for, or the frames are larger
        than pictures may be.
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
            "less with --height, --width or --area"
        )
    return height, width


def check_frames(frames: int, codec: Codec) -> None:
    """Refuses a number of frames of which some would be left over.

    Raises:
      UserError: if it is not one more than a multiple of what a latent holds.
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
