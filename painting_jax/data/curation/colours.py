"""Colours as sharp as the light: films keep them at half the size, and codecs blur them.

Where a film shows two colours side by side, they run into each other over a few pixels, while their
lightness has a sharp edge. Around each pixel, colour is a line over the lightness blurred as much;
what the blur took from the lightness tells what it took from the colour.
"""

import cv2
import numpy as np
from jaxtyping import UInt8

_LUMA = (0.299, 0.587, 0.114)  # red, green and blue in the lightness
_BLURS = (0.0, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)  # pixels; those by which colours may be blurred
_AROUND = 5  # side in pixels of the square in which colour is a line over lightness
_NOISE = 10.0  # square of the levels of 255 by which lightness varies without an edge
_LOOKED_AT = 12  # frames in which the blur is measured
_EXPLAINS = 0.03  # share of what varies that a blur must explain more than none


def sharpened(frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames whose colours are as sharp as their lightness, which stays; those given, if they are.

    Args:
      frames_THWC: uint8 RGB frames of a recording, without noise: it would be taken for edges.
    """
    blur = _blur(frames_THWC)
    if not blur:
        return frames_THWC
    sharp_THWC = np.empty_like(frames_THWC)
    for frame_HWC, sharp_HWC in zip(frames_THWC, sharp_THWC, strict=True):
        light_HW, *colours = _split(frame_HWC)
        soft_HW = _blurred(light_HW, blur)
        lost_HW = light_HW - soft_HW
        variance_HW, covariances = _moments(soft_HW, colours)
        red_HW, blue_HW = (
            light_HW
            + _within(colour_HW + covariance_HW / (variance_HW + _NOISE) * lost_HW, colour_HW)
            for colour_HW, covariance_HW in zip(colours, covariances, strict=True)
        )
        green_HW = (light_HW - _LUMA[0] * red_HW - _LUMA[2] * blue_HW) / _LUMA[1]
        # Rounded and kept within the levels.
        cv2.merge(
            [cv2.convertScaleAbs(np.maximum(one_HW, 0)) for one_HW in (red_HW, green_HW, blue_HW)],
            sharp_HWC,
        )
    return sharp_THWC


def _within(sharp_HW: np.ndarray, colour_HW: np.ndarray) -> np.ndarray:
    """Colours that go no further than those around: black beside yellow does not turn blue."""
    square = np.ones((_AROUND, _AROUND), np.uint8)
    return np.clip(sharp_HW, cv2.erode(colour_HW, square), cv2.dilate(colour_HW, square))


def _blur(frames_THWC: np.ndarray) -> float:
    """The blur of the lightness that is most like the colours, in pixels; 0 for none."""
    shown_S = np.linspace(0, len(frames_THWC) - 1, min(_LOOKED_AT, len(frames_THWC))).astype(int)
    left_B = np.zeros(len(_BLURS))
    for frame_HWC in frames_THWC[shown_S]:
        light_HW, *colours = _split(frame_HWC)
        left_B += [_unexplained(_blurred(light_HW, blur), colours) for blur in _BLURS]
    best = int(left_B.argmin())
    return _BLURS[best] if left_B[best] < (1 - _EXPLAINS) * left_B[0] else 0.0


def _split(frame_HWC: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lightness, and how far red and blue differ from it: float32[H, W] each."""
    float_HWC = frame_HWC.astype(np.float32)
    light_HW = cv2.cvtColor(float_HWC, cv2.COLOR_RGB2GRAY)
    return light_HW, float_HWC[..., 0] - light_HW, float_HWC[..., 2] - light_HW


def _blurred(light_HW: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(light_HW, (0, 0), blur) if blur else light_HW


def _unexplained(soft_HW: np.ndarray, colours: list[np.ndarray]) -> float:
    """How much colours vary that does not follow from this lightness."""
    variance_HW, covariances = _moments(soft_HW, colours)
    left = 0.0
    for colour_HW, covariance_HW in zip(colours, covariances, strict=True):
        [own_HW] = _moments(colour_HW, [colour_HW])[1]
        left += float((own_HW - np.square(covariance_HW) / (variance_HW + 1)).sum())
    return left


def _moments(one_HW: np.ndarray, others: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The variance of one around each pixel, and its covariances with others."""

    def mean(values_HW: np.ndarray) -> np.ndarray:
        return cv2.blur(values_HW, (_AROUND, _AROUND))

    mean_HW = mean(one_HW)
    variance_HW = np.maximum(mean(one_HW * one_HW) - mean_HW * mean_HW, 0)
    return variance_HW, [mean(one_HW * other) - mean_HW * mean(other) for other in others]
