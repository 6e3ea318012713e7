"""Baselines that every method should beat: ways from a blank canvas to a picture without painting.

A cross-fade, the picture coming into focus, and the recorded process of another picture.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from painting_jax.evaluation.compiling import quickly
from painting_jax.evaluation.measures import BLUR_TO_SHARP, CROSS_FADE
from painting_jax.evaluation.videos import Video
from painting_jax.metrics.padding import row


def from_picture(recorded: Video) -> dict[str, Video]:
    """The fades from the blank canvas of a recorded process to its picture, by baseline.

    Args:
      recorded: The process; the fades have frames at its progress.
    """
    first_1HWC, last_1HWC = recorded.frames_THWC[:1], recorded.frames_THWC[-1:]
    progress_1T, _ = row(recorded.progress_T)
    fades = {}
    for name, fade in ((CROSS_FADE, cross_fade), (BLUR_TO_SHARP, blur_to_sharp)):
        frames_1THWC = quickly(fade, first_1HWC, last_1HWC, progress_1T, loops=True)
        frames_THWC = np.asarray(frames_1THWC[0])[: len(recorded.progress_T)]
        fades[name] = dataclasses.replace(recorded, frames_THWC=frames_THWC)
    return fades


@jax.jit
def cross_fade(blank_BHWC: jax.Array, picture_BHWC: jax.Array, progress_BT: jax.Array) -> jax.Array:
    """Fades the picture in over the blank canvas, linearly in progress.

    Args:
      blank_BHWC: uint8, the canvas.
      picture_BHWC: uint8, the finished picture.
      progress_BT: Progress in [0, 1].

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
    """Brings the picture into focus: a Gaussian blur whose sigma shrinks linearly to 0.

    Sigma starts at a quarter of the shorter side; the frame at progress 0 is the blank canvas.

    Args:
      blank_BHWC: uint8, the canvas.
      picture_BHWC: uint8, the finished picture.
      progress_BT: Progress in [0, 1].

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


def _blur_matrix(sigma_BT: jax.Array, size: int) -> jax.Array:
    """Rows are Gaussian windows that sum to 1, also at the border: float32[B, T, size, size]."""
    offset = jnp.arange(size)[:, None] - jnp.arange(size)[None, :]
    sigma = jnp.maximum(sigma_BT, 1e-3)[:, :, None, None]
    weight = jnp.exp(-0.5 * (offset / sigma) ** 2)
    return weight / weight.sum(axis=-1, keepdims=True)


def _uint8(x: jax.Array) -> jax.Array:
    return jnp.clip(jnp.round(x), 0, 255).astype(jnp.uint8)


def other_pictures(pictures: Sequence[str], media: Sequence[str]) -> list[int | None]:
    """Index of a process of another picture for every process; None if all show the same.

    Prefers the same medium, and uses each process about equally often.

    Args:
      pictures: Identifier of each process's picture.
      media: Medium of each process.
    """
    picture_N, medium_N = np.array(pictures), np.array(media)
    n = len(picture_N)
    steps_NN = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    same_picture = picture_N[:, None] == picture_N[None, :]
    other_medium = medium_N[:, None] != medium_N[None, :]
    # The next best one in the order, wrapping around.
    other_N = (steps_NN + n * other_medium + 2 * n * same_picture).argmin(axis=1)
    return [
        None if picture_N[index] == picture_N[other] else int(other)
        for index, other in enumerate(other_N)
    ]
