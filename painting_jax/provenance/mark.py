"""An invisible mark in every frame that is generated: its writer.

A spread-spectrum mark (Cox et al. 1997, "Secure Spread Spectrum Watermarking for Multimedia") whose
pattern repeats, so that a reader finds scale and position in a frame that was scaled or cropped.
The libraries for invisible marks place theirs on a grid of blocks from the top left corner and lose
it when a row is cut off (docs/mark.md has the figures), so the pattern is our own.
"""

import numpy as np
from scipy import ndimage

from painting_jax.provenance import pattern, payload
from painting_jax.provenance.payload import Origin

LEAST_SIDE = 128  # shorter side in pixels; smaller frames have no room

_TILES = 4.3  # along the shorter side; a fraction, since codecs treat each tile alike if blocks fit
_LEAST_PERIOD, _MOST_PERIOD = 64, 480  # pixels: waves of 4 at least, and what a reader looks for
# Strength in levels of 255, as a root mean square: on flat ground, its growth with the picture's
# own contrast nearby, and the most.
_ON_FLAT = 1.2
_BY_CONTRAST = 0.35
_MOST = 4.5
_MOST_ERROR = 5.5  # mean square over a frame, in squared levels: 40.7 dB
_NEARBY = 5  # of every other pixel
# Near black and white, frames are moved inwards by this many strengths.
_ROOM = 1.2


def is_large_enough(height: int, width: int) -> bool:
    """Whether a frame has room for a mark."""
    return min(height, width) >= LEAST_SIDE


def embed(frames_THWC: np.ndarray, origin: Origin) -> np.ndarray:
    """Marks frames, all in the same way.

    Args:
      frames_THWC: uint8 RGB, large enough (`is_large_enough`).
      origin: What the mark says.

    Returns:
      The marked frames, uint8; the PSNR of each to its own is at least 40 dB.
    """
    _, height, width, _ = frames_THWC.shape
    period = min(max(_LEAST_PERIOD, min(height, width) / _TILES), _MOST_PERIOD)
    pattern_HW = pattern.draw(payload.encode(origin), height, width, period)
    return np.stack([_embed(frame_HWC, pattern_HW) for frame_HWC in frames_THWC])


def _embed(frame_HWC: np.ndarray, pattern_HW: np.ndarray) -> np.ndarray:
    strength_HW = _strength(frame_HWC)
    marked_HWC = _with(frame_HWC, pattern_HW, strength_HW)
    # Near black and white the move inwards comes on top.
    few = np.s_[::3, ::3]
    error = np.mean(np.square(marked_HWC[few].astype(np.float32) - frame_HWC[few]))
    if error > _MOST_ERROR:
        strength_HW *= np.sqrt(_MOST_ERROR / error)
        marked_HWC = _with(frame_HWC, pattern_HW, strength_HW)
    return marked_HWC


def _with(frame_HWC: np.ndarray, pattern_HW: np.ndarray, strength_HW: np.ndarray) -> np.ndarray:
    strength_HW1 = strength_HW[..., None]
    room_HW1 = _ROOM * strength_HW1
    marked_HWC = frame_HWC.astype(np.float32)
    np.maximum(marked_HWC, room_HW1, out=marked_HWC)
    np.minimum(marked_HWC, 255 - room_HW1, out=marked_HWC)
    # Half a level more, since the conversion cuts off.
    marked_HWC += strength_HW1 * pattern_HW[..., None] + np.float32(0.5)
    return np.clip(marked_HWC, 0, 255, out=marked_HWC).astype(np.uint8)


def _strength(frame_HWC: np.ndarray) -> np.ndarray:
    """Strength of the mark at each pixel, float32[H, W]: contrast hides it."""
    height, width, _ = frame_HWC.shape
    # It varies slowly: every other pixel of the green channel tells it, in a tenth of the time.
    grey_HW = frame_HWC[::2, ::2, 1].astype(np.float32)
    mean_HW = ndimage.uniform_filter(grey_HW, _NEARBY)
    variance_HW = ndimage.uniform_filter(np.square(grey_HW - mean_HW), _NEARBY)
    # Rounding in the filter may leave a variance just below zero.
    contrast_HW = np.sqrt(np.maximum(variance_HW, 0))
    strength_HW = np.minimum(_ON_FLAT + _BY_CONTRAST * contrast_HW, _MOST)
    return strength_HW.repeat(2, 0).repeat(2, 1)[:height, :width]
