"""Pillow's resizing of 8-bit pictures, bit for bit on any device.

CLIP and DINOv2 were trained on pictures resized by Pillow: bicubic, antialiased, rounded to 8 bits
after each of the two passes. A resize in floats differs by up to several levels of 255 where it
overshoots.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

# Pillow computes with integers that have this many fractional bits.
_BITS = 22


def resize(
    pictures_BHWC: UInt8[Array, "b h w 3"], height: int, width: int
) -> Int[Array, "b y x 3"]:
    """Resizes pictures, bicubic and antialiased: int32 in 0..255."""
    return resize_and_crop(pictures_BHWC, (height, width), (height, width))


def resize_short_and_crop(
    pictures_BHWC: UInt8[Array, "b h w 3"], short: int, kept: int
) -> Int[Array, "b k k 3"]:
    """Resizes the shorter side to `short` and crops the central `kept` x `kept` pixels.

    The longer side keeps the aspect ratio, rounded down, as in transformers' image processors.

    Returns:
      int32 in 0..255.

    Raises:
      ValueError: if the pictures are not uint8.
    """
    _, height, width, _ = pictures_BHWC.shape
    shortest = min(height, width)
    resized = int(short * height / shortest), int(short * width / shortest)
    return resize_and_crop(pictures_BHWC, resized, (kept, kept))


def resize_and_crop(
    pictures_BHWC: UInt8[Array, "b h w 3"], resized: tuple[int, int], kept: tuple[int, int]
) -> Int[Array, "b y x 3"]:
    """Resizes pictures to `resized` (height, width), crops the central `kept`: int32 in 0..255.

    Raises:
      ValueError: if the pictures are not uint8.
    """
    if pictures_BHWC.dtype != np.uint8:
        raise ValueError(f"pictures are uint8 in 0..255, not {pictures_BHWC.dtype}")
    x = jnp.asarray(pictures_BHWC, jnp.int32)
    # Width first: each pass rounds, so the order matters.
    for axis in (2, 1):
        x = _resample(x, axis, *_taps(x.shape[axis], resized[axis - 1], kept[axis - 1]))
    return x


def normalised(
    x_BHWC: Int[Array, "b h w 3"], mean: np.ndarray, std: np.ndarray
) -> Float[Array, "b h w 3"]:
    """Levels in 0..255 scaled to [0, 1], minus a mean, over a standard deviation: float32."""
    return (x_BHWC.astype(jnp.float32) / 255 - mean) / std


def _resample(x, axis: int, source_SK: np.ndarray, weight_SK: np.ndarray):
    """Weighted sums of K pixels for each of S along an axis, rounded and clipped to 0..255."""
    shape = [1] * x.ndim
    shape[axis] = -1

    def add(total, tap):
        source_S, weight_S = tap
        return total + jnp.take(x, source_S, axis, mode="clip") * weight_S.reshape(shape), None

    half = jnp.full(
        [len(source_SK) if k == axis else n for k, n in enumerate(x.shape)], 1 << (_BITS - 1)
    )
    # A scan, so that the size of the program does not depend on the picture.
    total, _ = jax.lax.scan(add, half, (jnp.asarray(source_SK.T), jnp.asarray(weight_SK.T)))
    return jnp.clip(total >> _BITS, 0, 255)


def _taps(extent: int, resized: int, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """The source pixels of the central `kept` of `resized` pixels, and their weights.

    Args:
      extent: number of pixels before the resizing.
      resized: number of pixels after the resizing.
      kept: number of these that are kept around the centre.

    Returns:
      int32[kept, K] indices and int32[kept, K] weights, in units of 2^-22.
    """
    scale = extent / resized
    stretch = max(scale, 1.0)  # antialiasing: the kernel grows with the reduction
    reach = 2 * stretch
    left = (resized - kept) // 2
    centre_S = (np.arange(left, left + kept) + 0.5) * scale
    first_S = np.maximum((centre_S - reach + 0.5).astype(np.int64), 0)
    end_S = np.minimum((centre_S + reach + 0.5).astype(np.int64), extent)
    source_SK = first_S[:, None] + np.arange((end_S - first_S).max())
    weight_SK = cubic_kernel((source_SK - centre_S[:, None] + 0.5) / stretch)
    weight_SK = np.where(source_SK < end_S[:, None], weight_SK, 0)
    weight_SK /= weight_SK.sum(1, keepdims=True)
    whole_SK = np.trunc(weight_SK * (1 << _BITS) + np.copysign(0.5, weight_SK))
    return np.minimum(source_SK, extent - 1).astype(np.int32), whole_SK.astype(np.int32)


def cubic_kernel(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic convolution kernel (1981)."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))
