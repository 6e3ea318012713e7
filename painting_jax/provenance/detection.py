"""The reader of the mark: finds scale and position of the pattern, then reads its bits.

The waves of a pattern that repeats every q pixels are peaks in the picture's spectrum at multiples
of 1/q, whatever they say and wherever the tile begins. So q is found first, by the power at these
places, among all scales. Then the waves with known phases give the beginning of the tile.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy import fft, ndimage

from painting_jax.provenance import pattern, payload
from painting_jax.provenance.payload import Origin

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_NEARBY = 19  # pixels
_NOISE = 1.0  # levels of rounding and compression, which no contrast explains
_OUTLIER = 2.0  # standard deviations, beyond which a pixel is part of the painting

_LEAST_PERIOD, _MOST_PERIOD = 16.0, 560.0  # pixels
_NEIGHBOURHOOD = 33  # bins of the spectrum, for the power that is no peak
_HIGHEST_PEAK = 6.0  # times that power; higher ones are the painting's own
_CANDIDATES = 10
_APART = 4  # candidates, in steps of the search
# Steps of the refinement, in periods of the shortest wave from edge to edge, and their number to
# each side.
_REFINEMENTS = ((0.2, 3), (0.07, 1))
_COARSE, _FINE = 64, 256  # positions of the tile that are tried along each axis

# Standard deviations by which the waves of known phases must agree, or the bits are not read at
# all. The best place of chance reaches it now and then: what it is worth, the checksum says.
_LEAST_AGREEMENT = 4.5
_ALIKE = 16  # waves of known phases that tell how strong waves of similar length are


def _neighbours() -> np.ndarray:
    """For each wave, the places in `pattern.SYNC` of those most alike in length, int[K, N]."""
    length = np.hypot(*pattern.WAVES.T)
    return np.argsort(np.abs(length[:, None] - length[pattern.SYNC]), 1, kind="stable")[:, :_ALIKE]


_NEIGHBOURS = _neighbours()


def detect(frames_THWC: np.ndarray) -> Origin | None:
    """Reads the mark of frames that may have been scaled, cropped and compressed.

    Args:
      frames_THWC: uint8 RGB: a picture, or frames of one process, which are read together.

    Returns:
      What the mark says; None if no mark is found.
    """
    spectrum = _Spectrum.of(_pooled(frames_THWC))
    for period in spectrum.candidates():
        amplitude_K = _located(spectrum, period)
        if amplitude_K is not None:
            origin = payload.decode(pattern.soft_bits(_weighted(amplitude_K)))
            if origin is not None:
                return origin
    return None


def _pooled(frames_THWC: np.ndarray) -> np.ndarray:
    """What is finer than the painting's forms, float32[H, W], all frames in one.

    Each pixel of each frame counts by the inverse of the variance around it, as it should for a
    mark of equal strength in independent noise.
    """
    total_HW, weight_HW = np.float32(0), np.float32(0)
    for frame_HWC in frames_THWC:
        grey_HW = frame_HWC @ _GREY
        fine_HW = grey_HW - ndimage.uniform_filter(grey_HW, _NEARBY)
        variance_HW = ndimage.uniform_filter(np.square(fine_HW), _NEARBY) + _NOISE**2
        most_HW = _OUTLIER * np.sqrt(variance_HW)
        total_HW = total_HW + np.clip(fine_HW, -most_HW, most_HW) / variance_HW
        weight_HW = weight_HW + 1 / variance_HW
    return total_HW / np.sqrt(weight_HW)


@dataclasses.dataclass(frozen=True)
class _Spectrum:
    """A picture and its spectrum.

    Attributes:
      picture_HW: float32.
      shape: Sides of the padded picture.
      noise: Power around each place of the spectrum, from `rfft2` of the padded picture.
      peaks: Power as a multiple of `noise`.
    """

    picture_HW: np.ndarray
    shape: tuple[int, int]
    noise: np.ndarray
    peaks: np.ndarray

    @classmethod
    def of(cls, picture_HW: np.ndarray) -> "_Spectrum":
        shape = tuple(fft.next_fast_len(2 * side, real=True) for side in picture_HW.shape)
        power = np.square(np.abs(fft.rfft2(picture_HW, shape)))
        noise = ndimage.uniform_filter(power, _NEIGHBOURHOOD, mode="wrap")
        # Where there is nothing at all, as in a picture of one colour, there is no peak either.
        noise = np.maximum(noise, 1e-6 * noise.max() + 1e-12)
        return cls(picture_HW, shape, noise, np.minimum(power / noise, _HIGHEST_PEAK))

    def at(self, values: np.ndarray, period_N: np.ndarray, beyond: float) -> np.ndarray:
        """Values of a spectrum at the waves of patterns of some periods, [N, K].

        Waves that are too short to be seen get the value `beyond`.
        """
        frequency_2NK = pattern.WAVES.T[:, None] / period_N[:, None]
        down, across = (
            np.rint(frequency_NK * side).astype(np.int32)
            for frequency_NK, side in zip(frequency_2NK, self.shape, strict=True)
        )
        is_seen = (np.abs(frequency_2NK) < 0.5).all(0)
        return np.where(is_seen, values[down * is_seen, across * is_seen], beyond)

    def candidates(self) -> Iterator[float]:
        """The most likely periods of a pattern in pixels, the likeliest first."""
        step = 0.5 / (pattern.MOST * max(self.shape))
        period_N = 1 / np.arange(1 / _MOST_PERIOD, 1 / _LEAST_PERIOD, step)
        score_N = np.concatenate([self._score(part) for part in np.array_split(period_N, 32)])
        for _ in range(_CANDIDATES):
            best = int(np.argmax(score_N))
            if score_N[best] == -np.inf:
                return
            yield float(period_N[best])
            score_N[max(0, best - _APART) : best + _APART + 1] = -np.inf

    def _score(self, period_N: np.ndarray) -> np.ndarray:
        """By how many standard deviations the power at the waves exceeds that around them."""
        peak_NK = self.at(self.peaks, period_N, np.nan)
        return np.nanmean(peak_NK - 1, 1) * np.sqrt(np.isfinite(peak_NK).sum(1))


def _located(spectrum: _Spectrum, period: float) -> np.ndarray | None:
    """Amplitudes of the waves as of a tile that begins at the origin, complex[K].

    In standard deviations of the noise. None if the waves of known phases do not agree.
    """
    noise_K = spectrum.at(spectrum.noise, np.array([period]), np.inf)[0]
    picture_HW = spectrum.picture_HW
    inverses = np.array([1 / period, 1 / period])
    for width, count in _REFINEMENTS:
        steps = np.arange(-count, count + 1) * width / pattern.MOST
        down, across = (
            inverse + steps / side for inverse, side in zip(inverses, picture_HW.shape, strict=True)
        )
        found = [
            (_agreement(amplitude_K / np.sqrt(noise_K), _COARSE)[0], places)
            for places, amplitude_K in _amplitudes(picture_HW, down, across)
        ]
        inverses = max(found)[1]
    [(_, amplitude_K)] = _amplitudes(picture_HW, inverses[:1], inverses[1:])
    amplitude_K = amplitude_K / np.sqrt(noise_K)
    agreement, begin = _agreement(amplitude_K, _FINE)
    if agreement < _LEAST_AGREEMENT:
        return None
    return amplitude_K * np.exp(2j * np.pi * (pattern.WAVES @ begin))


def _amplitudes(picture_HW, down, across):
    """Amplitudes of the waves, complex[K], for each pair of inverse periods down and across."""
    height, width = picture_HW.shape
    counts = np.arange(-pattern.MOST, pattern.MOST + 1)
    half = counts[pattern.MOST :]
    columns = [pattern.waves_along(width, 1 / inverse, half).T for inverse in across]
    for inverse in down:
        rows = pattern.waves_along(height, 1 / inverse, counts) @ picture_HW
        for other, column in zip(across, columns, strict=True):
            tile = rows @ column
            amplitude_K = tile[pattern.WAVES[:, 0] + pattern.MOST, pattern.WAVES[:, 1]]
            yield (inverse, other), amplitude_K


def _agreement(amplitude_K: np.ndarray, positions: int) -> tuple[float, np.ndarray]:
    """How well the waves of known phases agree at the best place of the tile, and this place.

    Returns:
      The sum of their amplitudes in standard deviations of a sum of random phases, and where the
      tile begins, float[2], as a share of its side.
    """
    known = amplitude_K[pattern.SYNC]
    # Each counts little more than the noise, whatever the painting has there.
    known = known / np.maximum(1, np.abs(known))
    grid = np.zeros((positions, positions), np.complex64)
    down, across = pattern.WAVES[pattern.SYNC].T
    grid[down, across] = known * pattern.SYNC_PHASES.conj()
    sums = fft.ifft2(grid, norm="forward").real
    best = np.unravel_index(np.argmax(sums), sums.shape)
    spread = np.sqrt(np.sum(np.square(np.abs(known))) / 2) + 1e-12
    return float(sums[best] / spread), np.array(best) / positions


def _weighted(amplitude_K: np.ndarray) -> np.ndarray:
    """Amplitudes, weighted by the strength that known waves of similar length have."""
    limited_K = amplitude_K / np.maximum(1, np.abs(amplitude_K) / 3)
    known = (limited_K[pattern.SYNC] * pattern.SYNC_PHASES.conj()).real
    return limited_K * np.maximum(known[_NEIGHBOURS].mean(1), 0)
