"""What lies behind occluders: the last clean view of each pixel."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, UInt8
from skimage import restoration


def filled(
    frames_THWC: UInt8[np.ndarray, "t h w 3"], occluded_THW: Bool[np.ndarray, "t h w"]
) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames in which occluded pixels show what was last seen there.

    Before its first clean view a pixel shows that one. A pixel without any is inpainted.

    Args:
      frames_THWC: uint8 RGB.
      occluded_THW: Where occluders are.
    """
    clean_THWC = np.array(_filled(frames_THWC, occluded_THW))
    never_HW = np.asarray(occluded_THW.all(0))
    if never_HW.any() and not never_HW.all():
        clean_THWC[:, never_HW] = _inpainted(clean_THWC[-1], never_HW)[never_HW]
    return clean_THWC


@jax.jit
def _filled(frames_THWC: jax.Array, occluded_THW: jax.Array) -> jax.Array:
    first_1HW1 = jnp.argmin(occluded_THW, axis=0)[None, ..., None]
    begin_HWC = jnp.take_along_axis(frames_THWC, first_1HW1, axis=0)[0]

    def step(canvas_HWC, seen):
        frame_HWC, mask_HW = seen
        canvas_HWC = jnp.where(mask_HW[..., None], canvas_HWC, frame_HWC)
        return canvas_HWC, canvas_HWC

    return lax.scan(step, begin_HWC, (frames_THWC, occluded_THW))[1]


def _inpainted(picture_HWC: np.ndarray, missing_HW: np.ndarray) -> np.ndarray:
    whole_HWC = restoration.inpaint_biharmonic(
        picture_HWC, missing_HW, split_into_regions=True, channel_axis=-1
    )
    return np.clip(255 * whole_HWC + 0.5, 0, 255).astype(np.uint8)
