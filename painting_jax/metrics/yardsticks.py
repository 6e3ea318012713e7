"""What a process has to beat: ways from a blank canvas to a picture that paint nothing."""

import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def cross_fade(blank_BHWC: jax.Array, picture_BHWC: jax.Array, progress_BT: jax.Array) -> jax.Array:
    """The picture fades in over the blank canvas, linearly in progress.

    Args:
      blank_BHWC: uint8, the canvas.
      picture_BHWC: uint8, the finished picture.
      progress_BT: in [0, 1].

    Returns:
      uint8[B, T, H, W, C].
    """
    s = progress_BT[:, :, None, None, None]
    blank, picture = (x[:, None].astype(jnp.float32) for x in (blank_BHWC, picture_BHWC))
    return _uint8((1 - s) * blank + s * picture)


@jax.jit
def blur_to_sharp(
    blank_BHWC: jax.Array, picture_BHWC: jax.Array, progress_BT: jax.Array
) -> jax.Array:
    """The picture comes into focus: Gaussian blur that shrinks linearly to none.

    It starts at a quarter of the shorter side; at progress 0 stands the blank canvas.

    Args:
      blank_BHWC: uint8, the canvas.
      picture_BHWC: uint8, the finished picture.
      progress_BT: in [0, 1].

    Returns:
      uint8[B, T, H, W, C].
    """
    _, h, w, _ = picture_BHWC.shape
    sigma_BT = (1 - progress_BT) * min(h, w) / 4
    picture = picture_BHWC.astype(jnp.float32)
    blurred = jnp.einsum(
        "btij,bjkc,btlk->btilc",
        _blur_matrix(sigma_BT, h),
        picture,
        _blur_matrix(sigma_BT, w),
        precision=jax.lax.Precision.HIGHEST,
    )
    at_start = (progress_BT <= 0)[:, :, None, None, None]
    return _uint8(jnp.where(at_start, blank_BHWC[:, None].astype(jnp.float32), blurred))


def other_picture(picture_B: np.ndarray, medium_B: np.ndarray) -> np.ndarray:
    """For every process the index of a process of another picture, int[B].

    One in the same medium is taken where there is one, and each is taken about equally often.
    Where every process shows the same picture, a process's own index is returned.

    Args:
      picture_B: what identifies the pictures (any values that compare).
      medium_B: what identifies the media.
    """
    n = len(picture_B)
    ahead = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    same_picture = picture_B[:, None] == picture_B[None, :]
    other_medium = medium_B[:, None] != medium_B[None, :]
    # The next one in the order, wrapping around, among the best there are.
    return (ahead + n * other_medium + 2 * n * same_picture).argmin(axis=1)


def _blur_matrix(sigma_BT: jax.Array, size: int) -> jax.Array:
    """Rows are Gaussian windows that sum to 1 also at the border: float32[B, T, size, size]."""
    offset = jnp.arange(size)[:, None] - jnp.arange(size)[None, :]
    sigma = jnp.maximum(sigma_BT, 1e-3)[:, :, None, None]
    weight = jnp.exp(-0.5 * (offset / sigma) ** 2)
    return weight / weight.sum(axis=-1, keepdims=True)


def _uint8(x: jax.Array) -> jax.Array:
    return jnp.clip(jnp.round(x), 0, 255).astype(jnp.uint8)
