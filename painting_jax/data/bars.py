"""White or black bars around a picture, with which it was brought to another shape."""

import dataclasses

import numpy as np

from painting_jax.data import pictures

_LIGHT, _DARK = 235, 20  # least and most of every channel of a bar
_JUMP = 6  # difference between the bar and the pixel beside it
_SHARP = 0.7  # share of the pixels beside a bar that differ from it
_NOISE = (8, 0.4)  # deviations that compression leaves in a bar: at least, and of that difference
_BLURRED = 2  # lines that belong to both
_DRIFT = (2, 0.1)  # changes of colour within a bar, likewise
_THINNEST = 0.01  # width of a bar, as a share of the side
_LEAST = 0.2  # share of a side that the picture has at least


@dataclasses.dataclass(frozen=True)
class Inside:
    """Where the picture lies within its bars, in pixels: rows [top, bottom), columns [left, right).

    Attributes:
      top: First row.
      bottom: Row after the last one.
      left: First column.
      right: Column after the last one.
    """

    top: int
    bottom: int
    left: int
    right: int

    def cut(self, picture_HWx: np.ndarray, zoom: float = 1.0) -> np.ndarray:
        """The picture, or a map of it, without its bars.

        Args:
          picture_HWx: Picture or map.
          zoom: Its size, relative to that of the picture in which the bars were found.
        """
        top, bottom, left, right = (round(zoom * at) for at in dataclasses.astuple(self))
        return np.ascontiguousarray(picture_HWx[top:bottom, left:right])

    def extended(self, map_HW: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
        """A map of the inner picture, whose borders are repeated to the shape of the whole one."""
        rows = (self.top, shape_HW[0] - self.bottom)
        return np.pad(map_HW, (rows, (self.left, shape_HW[1] - self.right)), mode="edge")

    def framed(self, frames_THWC: np.ndarray, picture_HWC: np.ndarray) -> np.ndarray:
        """Puts frames of the inner picture, at any size, between the bars of the whole one."""
        rows, columns = frames_THWC.shape[1:3]
        # The longer side is the one that rounding changes least.
        zoom = rows / (self.bottom - self.top)
        if columns > rows:
            zoom = columns / (self.right - self.left)
        top, left = round(self.top * zoom), round(self.left * zoom)
        height, width = (round(side * zoom) for side in picture_HWC.shape[:2])
        whole_HWC = pictures.resize(
            picture_HWC, max(height, top + rows), max(width, left + columns)
        )
        framed_THWC = np.repeat(whole_HWC[None], len(frames_THWC), 0)
        framed_THWC[:, top : top + rows, left : left + columns] = frames_THWC
        return framed_THWC


def inside(picture_HWC: np.ndarray) -> Inside | None:
    """Finds the picture between bars at opposite sides; None if there are none.

    A plain background is no bar: along a bar's whole border the picture begins.

    Args:
      picture_HWC: uint8 RGB.
    """
    height, width = picture_HWC.shape[:2]
    # The sides of a picture with bars all around are seen between the other two.
    (top, bottom), (left, right) = _same(picture_HWC), _same(picture_HWC.transpose(1, 0, 2))
    if not top + bottom + left + right:
        return None
    rows_YXC = picture_HWC[top : height - bottom]
    columns_YXC = picture_HWC[:, left : width - right]
    top, bottom = _sides(columns_YXC)
    left, right = _sides(rows_YXC.transpose(1, 0, 2))
    if not top + bottom + left + right:
        return None
    return Inside(top, height - bottom, left, width - right)


def _same(lines_NMC: np.ndarray) -> tuple[int, int]:
    """Number of lines before and after a picture that look like the first and the last one."""
    return _run(lines_NMC), _run(lines_NMC[::-1])


def _run(lines_NMC: np.ndarray) -> int:
    first_MC = lines_NMC[0]
    least, most = _LIGHT - _NOISE[0], _DARK + _NOISE[0]
    # Most pictures are told by this alone, which is fast.
    if first_MC.min() < least and first_MC.max() > most:
        return 0
    plain_N = np.abs(lines_NMC - np.median(first_MC, 0)).mean((1, 2)) < _NOISE[0]
    return 0 if plain_N.all() else int(np.argmin(plain_N))


def _sides(lines_NMC: np.ndarray) -> tuple[int, int]:
    """Number of lines of the bars before and after a picture; 0 and 0 unless both are there."""
    before, after = _bar(lines_NMC), _bar(lines_NMC[::-1])
    count = len(lines_NMC)
    if not before or not after or count - before - after < _LEAST * count:
        return 0, 0
    apart_C = np.abs(np.median(lines_NMC[0], 0) - np.median(lines_NMC[-1], 0))
    return (0, 0) if apart_C.max() > 2 * _NOISE[0] else (before, after)


def _bar(lines_NMC: np.ndarray) -> int:
    """Number of lines of a bar before the picture; 0 for none."""
    colour_C = np.median(lines_NMC[0], 0)
    if not (colour_C.min() >= _LIGHT or colour_C.max() <= _DARK):
        return 0
    off_NM = np.abs(lines_NMC.astype(np.int16) - colour_C.astype(np.int16)).max(-1)
    begins_N = (off_NM > _JUMP).mean(1) >= _SHARP
    begins = int(np.argmax(begins_N))
    if not begins_N.any() or begins < max(_BLURRED, _THINNEST * len(lines_NMC)):
        return 0
    contrast = np.median(off_NM[begins + 1 : begins + 2 + _BLURRED])
    noise = np.quantile(off_NM[: max(1, begins - _BLURRED)], 0.99, axis=1).max()
    # A mist begins gradually.
    drift = np.abs(np.median(lines_NMC[3 * begins // 4], 0) - colour_C).max()
    within = (
        value <= max(least, share * contrast)
        for value, (least, share) in ((noise, _NOISE), (drift, _DRIFT))
    )
    return begins if all(within) else 0
