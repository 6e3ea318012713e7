"""Changes of the light, taken out of a recording."""

import warnings
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

_BLOCK = 8  # side in pixels of the blocks whose colours are compared
_DARK = 16.0  # level of 255 below which a block says nothing: the camera adds to the light there
_LAGS = (1, 2, 4, 8, 16, 32, 64)  # frames by which compared frames lie apart
_NEAR = (0.06, 0.03)  # what a block's logarithm may differ from what was expected, round by round
_MOST = 0.7  # logarithm of the largest change that is one of the light: by a factor of 2
_FEWEST = 0.03  # share of the blocks that must be near


def gains(frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t 3"]:
    """By what each channel of each frame is to be multiplied for an even light; 1 on average.

    From one frame to the next most of a picture stays as it is: what most of its blocks change by
    is the light. So neither a hand nor a stroke matters, as long as it covers less than half. Over
    more frames, those blocks count that change about as expected; they keep small errors from
    adding up. All comparisons together are solved by least squares. What comes to more than lamps
    and exposures change is no light: a canvas that fills the frame was painted over at once.

    Args:
      frames_THWC: uint8 RGB.
    """
    blocks_TBC = _blocks(frames_THWC, min(_BLOCK, *frames_THWC.shape[1:3]))
    known_TBC = blocks_TBC >= _DARK
    levels_TBC = np.log(np.maximum(blocks_TBC, _DARK))
    light_T3 = np.zeros((len(frames_THWC), 3))
    steps_T3 = _differences(levels_TBC, known_TBC, light_T3, 1, np.inf)[0]
    light_T3[1:] = np.cumsum(steps_T3, axis=0)
    for near in _NEAR:
        found = [
            (lag, *_differences(levels_TBC, known_TBC, light_T3, lag, near))
            for lag in _LAGS
            if lag < len(frames_THWC)
        ]
        light_T3 = np.stack(
            [
                _solved(
                    len(light_T3),
                    [(lag, by_S[:, c], share_S[:, c]) for lag, by_S, share_S in found],
                )
                for c in range(3)
            ],
            axis=1,
        )
    if np.ptp(light_T3, axis=0).max() > _MOST:
        return np.ones_like(light_T3)
    gains_T3 = np.exp(-light_T3)
    return gains_T3 / gains_T3.mean(0)


def _blocks(frames_THWC: np.ndarray, block: int) -> np.ndarray:
    """Mean colours of the blocks of each frame, float32[T, B, 3]."""
    rows, columns = (side // block for side in frames_THWC.shape[1:3])
    # One frame after the other, so that a film is never in memory as floats.
    return np.stack(
        [
            cv2.resize(
                frame_HWC[: rows * block, : columns * block].astype(np.float32),
                (columns, rows),
                interpolation=cv2.INTER_AREA,
            ).reshape(-1, 3)
            for frame_HWC in frames_THWC
        ]
    )


def _differences(
    levels_TBC: np.ndarray, known_TBC: np.ndarray, light_T3: np.ndarray, lag: int, near: float
) -> tuple[np.ndarray, np.ndarray]:
    """By what the light's logarithm changes over a lag, and the share of blocks that tell it."""
    by_SBC = levels_TBC[lag:] - levels_TBC[:-lag]
    expected_S1C = (light_T3[lag:] - light_T3[:-lag])[:, None]
    tells_SBC = known_TBC[lag:] & known_TBC[:-lag] & (np.abs(by_SBC - expected_S1C) < near)
    share_SC = tells_SBC.mean(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where no block tells anything
        by_SC = np.nanmedian(np.where(tells_SBC, by_SBC, np.nan), axis=1)
    enough_SC = share_SC >= _FEWEST
    return np.where(enough_SC, by_SC, 0.0), np.where(enough_SC, share_SC, 0.0)


def _solved(count: int, found: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> np.ndarray:
    """The light in so many frames, from its weighted differences over lags: float[T], mean 0."""
    # A frame that nothing tells about stays as those beside it.
    normal_TT, right_T = np.zeros((count, count)), np.zeros(count)
    for lag, by_S, weight_S in [*found, (1, np.zeros(count - 1), np.full(count - 1, 1e-6))]:
        late_S, early_S = np.arange(lag, count), np.arange(count - lag)
        for one_S, other_S, sign in ((late_S, early_S, 1), (early_S, late_S, -1)):
            np.add.at(normal_TT, (one_S, one_S), weight_S)
            np.add.at(normal_TT, (one_S, other_S), -weight_S)
            np.add.at(right_T, one_S, sign * weight_S * by_S)
    # Differences leave the mean open.
    light_T = np.linalg.solve(normal_TT + 1 / count, right_T)
    return light_T - light_T.mean()


def evened(
    frames_THWC: UInt8[np.ndarray, "t h w 3"], gains_T3: Float[np.ndarray, "t 3"]
) -> UInt8[np.ndarray, "t h w 3"]:
    """The frames multiplied by `gains`."""
    levels_256 = np.arange(256)[:, None]
    even_THWC = np.empty_like(frames_THWC)
    for frame_HWC, gain_3, even_HWC in zip(frames_THWC, gains_T3, even_THWC, strict=True):
        table_1256C = np.clip(levels_256 * gain_3 + 0.5, 0, 255).astype(np.uint8)[None]
        cv2.LUT(frame_HWC, table_1256C, even_HWC)
    return even_THWC
