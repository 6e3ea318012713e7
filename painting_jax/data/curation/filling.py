"""What lies behind occluders: the clean view of each pixel that is nearest in time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, UInt8
from skimage import restoration

_NEVER = 1 << 20  # frames


def filled(
    frames_THWC: UInt8[np.ndarray, "t h w 3"],
    occluded_THW: Bool[np.ndarray, "t h w"],
    *,
    prefers_last: bool = False,
) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames in which occluded pixels show what was seen there last, or is seen next.

    The nearer view in time is shown, the last one if both are as near: what is painted behind a
    hand is painted early or late, and in the middle on average. A pixel without any clean view is
    inpainted.

    Args:
      frames_THWC: uint8 RGB.
      occluded_THW: Where occluders are.
      prefers_last: Whether what was seen last is shown, even if what is seen next is nearer.
    """
    clean_THWC = np.array(_filled(frames_THWC, occluded_THW, prefers_last))
    never_HW = np.asarray(occluded_THW.all(0))
    if never_HW.any() and not never_HW.all():
        clean_THWC[:, never_HW] = _inpainted(clean_THWC[-1], never_HW)[never_HW]
    return clean_THWC


@functools.partial(jax.jit, static_argnames="prefers_last")
def _filled(frames_THWC: jax.Array, occluded_THW: jax.Array, prefers_last: bool) -> jax.Array:
    def step(seen, now):
        """The view of each pixel that was seen last, and for how many frames it has been hidden."""
        view_HWC, hidden_HW = seen
        frame_HWC, mask_HW = now
        view_HWC = jnp.where(mask_HW[..., None], view_HWC, frame_HWC)
        hidden_HW = jnp.where(mask_HW, jnp.minimum(hidden_HW, _NEVER) + 1, 0)
        return (view_HWC, hidden_HW), (view_HWC, hidden_HW)

    start = frames_THWC[0], jnp.full(frames_THWC.shape[1:3], _NEVER)
    film = frames_THWC, occluded_THW
    _, (last_THWC, since_THW) = lax.scan(step, start, film)
    _, (next_THWC, until_THW) = lax.scan(step, start, film, reverse=True)
    is_last_THW = since_THW < _NEVER if prefers_last else since_THW <= until_THW
    return jnp.where(is_last_THW[..., None], last_THWC, next_THWC)


def _inpainted(picture_HWC: np.ndarray, missing_HW: np.ndarray) -> np.ndarray:
    whole_HWC = restoration.inpaint_biharmonic(
        picture_HWC, missing_HW, split_into_regions=True, channel_axis=-1
    )
    return np.clip(255 * whole_HWC + 0.5, 0, 255).astype(np.uint8)
