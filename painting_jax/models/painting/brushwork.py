"""Masses of paint in strokes of a brush: what the head paints softly is laid in strokes.

The strokes of a recorded process lie elsewhere each time, so a model learns their mean, which is
smooth. In sampling at the full size of a picture, its soft paints are therefore laid in strokes
that follow the picture's contours. Each stroke has one colour: that of the soft paint at its
middle. Strokes of one direction lie in rows like bricks, with wavy borders; of those over a pixel,
the one whose own direction that is shows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from painting_jax.models.layers import gaussian_blur

_DIRECTIONS = 8
_WOBBLE = 0.35  # of the borders, relative to the width
_BRISTLES = 0.07  # change of brightness across a stroke
_COLOURS = 0.04  # and from stroke to stroke
_CALM = 1e-4  # squared slope below which a broad field gives the direction
_FIELD = 12.0  # size of that field's parts, relative to the width of a stroke


class Brush(NamedTuple):
    """How a medium lays its masses.

    Attributes:
      strength: share of the strokes over the soft paint, 0..1.
      width: width of a stroke, relative to that of a brush.
      length: length of a stroke, relative to the width of a brush.
    """

    strength: float
    width: float
    length: float


# Washes run together; pencils and pens hatch.
BRUSHES = {
    "acrylic": Brush(1.0, 1.0, 4.5),
    "charcoal": Brush(0.8, 0.6, 6.0),
    "colored_pencil": Brush(0.9, 0.3, 6.0),
    "digital": Brush(0.8, 1.2, 5.0),
    "ink": Brush(0.7, 0.3, 6.0),
    "loomis_portrait": Brush(0.9, 0.3, 6.0),
    "oil": Brush(1.0, 1.0, 4.5),
    "pastel": Brush(0.9, 0.8, 5.0),
    "pencil": Brush(0.9, 0.25, 6.0),
    "watercolor": Brush(0.35, 1.6, 4.0),
}
_OTHER = BRUSHES["oil"]


def brush_of(medium_BM: Float[Array, "b m"], media: Sequence[str]) -> Brush:
    """The brush of each mixture of media, as arrays [B].

    Args:
      medium_BM: weights of the media; zeros = no medium.
      media: their names.
    """
    table_M3 = jnp.array([BRUSHES.get(name, _OTHER) for name in media])
    total_B1 = medium_BM.sum(1, keepdims=True)
    mean_B3 = medium_BM @ table_M3 / jnp.maximum(total_B1, 1e-6)
    mean_B3 = jnp.where(total_B1 > 0, mean_B3, jnp.array(_OTHER))
    return Brush(*jnp.unstack(mean_B3, axis=1))


def in_strokes(
    paints: Sequence[Float[Array, "b h w 3"]], widths: Sequence[float], brush: Brush
) -> list[Float[Array, "b h w 3"]]:
    """Soft paints in strokes.

    Args:
      paints: colours in [-1, 1], each smooth over the width of its brush.
      widths: width of the brush of each paint, in pixels.
      brush: how paints are laid, for each picture.
    """

    def of_one(picture):
        paint_HWC, direction_HW, width, brush = picture
        strokes_HWC = _strokes(paint_HWC, direction_HW, brush.width * width, brush.length * width)
        return jnp.clip(paint_HWC + brush.strength * (strokes_HWC - paint_HWC), -1, 1)

    count, batch = len(paints), len(paints[0])
    directions = [_directions(*pair) for pair in zip(paints, widths, strict=True)]
    pictures = (
        jnp.concatenate(paints),
        jnp.concatenate(directions),
        jnp.repeat(jnp.array(widths, jnp.float32), batch),
        jax.tree.map(lambda of_pictures: jnp.tile(of_pictures, count), brush),
    )
    # One after the other: the program is small, and so is its memory.
    return jnp.split(jax.lax.map(of_one, pictures), count)


def _strokes(paint_HWC, direction_HW, width, length) -> Float[Array, "h w 3"]:
    y_HW, x_HW = _places(paint_HWC.shape[:2])
    y_HW, x_HW = (
        place_HW + _WOBBLE * width * (2 * _smooth_noise(y_HW / width, x_HW / width, seed) - 1)
        for seed, place_HW in enumerate((y_HW, x_HW))
    )

    def with_direction(index, result_HWC):
        angle = jnp.pi / _DIRECTIONS * index
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        along_HW, across_HW = x_HW * cosine + y_HW * sine, y_HW * cosine - x_HW * sine
        row_HW = jnp.floor(across_HW / width)
        shift_HW = _random(row_HW, 0.0, index)
        column_HW = jnp.floor(along_HW / length + shift_HW)
        middle_along_HW = (column_HW + 0.5 - shift_HW) * length
        middle_across_HW = (row_HW + 0.5) * width
        middle = (
            middle_along_HW * sine + middle_across_HW * cosine,
            middle_along_HW * cosine - middle_across_HW * sine,
        )
        rows, columns = (
            jnp.clip(jnp.round(place), 0, side - 1).astype(jnp.int32)
            for place, side in zip(middle, paint_HWC.shape[:2], strict=True)
        )
        bristle_HW = _smooth_noise(6 * across_HW / width, 2 * along_HW / length, 2 + index) - 0.5
        light_HW = _BRISTLES * bristle_HW + _COLOURS * (_random(row_HW, column_HW, index) - 0.5)
        here_HW1 = (direction_HW[rows, columns] == index)[..., None]
        return jnp.where(here_HW1, paint_HWC[rows, columns] + light_HW[..., None], result_HWC)

    return jax.lax.fori_loop(0, _DIRECTIONS, with_direction, paint_HWC)


def _directions(paint_BHWC: Float[Array, "b h w 3"], width: float) -> Int[Array, "b h w"]:
    """Number of the direction along the contours at each pixel, by the structure tensor."""
    down_BHW, right_BHW = jnp.gradient(paint_BHWC.mean(-1), axis=(1, 2))
    products = jnp.stack(
        [right_BHW**2 - down_BHW**2, 2 * right_BHW * down_BHW, right_BHW**2 + down_BHW**2], -1
    )
    even, odd, steep = jnp.unstack(gaussian_blur(products * width**2, width), axis=-1)
    size = _FIELD * width
    y_HW, x_HW = _places(steep.shape[1:])
    field_HW = jnp.pi * (0.4 + _smooth_noise(y_HW / size, x_HW / size, 1))
    calm = _CALM / (steep + _CALM)
    clear = (1 - calm) / (jnp.hypot(even, odd) + 1e-12)
    # The tensor's angles are twice those of the slopes, and contours are at right angles to these.
    doubled_BHW = jnp.arctan2(
        calm * jnp.sin(field_HW) - clear * odd, calm * jnp.cos(field_HW) - clear * even
    )
    return jnp.round(doubled_BHW * _DIRECTIONS / (2 * jnp.pi)).astype(jnp.int32) % _DIRECTIONS


def _places(size_HW: tuple[int, int]) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Row and column of each pixel."""
    rows, columns = (jnp.arange(side, dtype=jnp.float32) for side in size_HW)
    return tuple(jnp.meshgrid(rows, columns, indexing="ij"))


def _random(a, b, seed) -> Float[Array, "..."]:
    """A number in [0, 1) that looks random, for two whole numbers."""
    a, b, seed = (jnp.asarray(number, jnp.int32).astype(jnp.uint32) for number in (a, b, seed))
    # Multiplications and shifts that mix all bits; the constants are large primes.
    mixed = a * jnp.uint32(374761393) + b * jnp.uint32(668265263) + seed * jnp.uint32(2246822519)
    mixed = (mixed ^ (mixed >> 13)) * jnp.uint32(1274126177)
    mixed = (mixed ^ (mixed >> 16)) * jnp.uint32(3266489917)
    # A float32 holds 24 of the bits.
    return (mixed >> 8).astype(jnp.float32) / (1 << 24)


def _smooth_noise(y, x, seed) -> Float[Array, "..."]:
    """Random numbers in [0, 1) at whole places, interpolated smoothly between them."""
    row, column = jnp.floor(y), jnp.floor(x)
    v, u = ((3 - 2 * part) * part**2 for part in (y - row, x - column))
    corners = [_random(row + i, column + j, seed) for i in (0, 1) for j in (0, 1)]
    upper, lower = (left + u * (right - left) for left, right in (corners[:2], corners[2:]))
    return upper + v * (lower - upper)
