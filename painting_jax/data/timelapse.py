"""What was edited in a recording: an opening, a fade, and the direction in which it runs.

A painting process goes from an empty canvas to a finished picture. Published time-lapses often show
the finished picture first, fade in from black or out to it, or run backwards. `examine` finds these
on small copies of the frames, for `prepare` and `evaluate` alike.
"""

import dataclasses

import numpy as np
from PIL import Image

# What may be done about edits.
KEEP, CUT, TURN = "keep", "cut", "turn"
CHOICES = (KEEP, CUT, TURN)

# Scores closer to 0 leave the direction undecided.
_UNSURE = 0.2
# Pixels a side at which edges are measured. More would measure the grain of a camera.
_SIDE = 128
# Pixels a side at which frames are compared with each other; averages out noise and grain.
_SMALL = 16
_SCALES = (1, 2, 4)  # pixels that are averaged before slopes are taken
_FAINT = 1e-3  # energy that counts as none

# In fewer frames an edit cannot be told from a bold step.
_FEWEST, _FEWEST_FOR_CUTS = 5, 8
# A fade keeps the picture and takes its light. Relative to the full picture:
_FULL = 0.6  # the least light of the frame that fades, as a share of the most in that half
_STEADY = 0.2  # the most light that a picture loses before it is gone at once
_GONE = 0.15  # light at the end of the fade
_ANOTHER = 0.15  # a frame that differs by more is another picture
_SAME = 0.02  # a frame that differs by less is the same, but for its light
# An opening resembles the finished picture more than the canvas does, by these shares of the
# greatest distance in the video, and gives way to the canvas at once.
_ALIKE, _UNLIKE = 0.35, 0.85
_LONGEST_OPENING, _LONGEST_CHANGE = 0.6, 0.15  # as shares of the video
_LEAST_CHANGE = 8.0  # levels of 255


@dataclasses.dataclass(frozen=True)
class Direction:
    """The direction of a video.

    Attributes:
      sign: 1 = in painted order, -1 = reversed, 0 = undecided.
      score: Evidence in [-1, 1]; its sign changes when the video is reversed.
      ordered: How far the frames are in any order at all, in [0, 1].
    """

    sign: int
    score: float
    ordered: float


@dataclasses.dataclass(frozen=True)
class Examined:
    """What was found in a video of T frames.

    Attributes:
      first: Index of the frame with which the process begins.
      last: Index of the frame with which it ends.
      findings: Phrases for what lies outside, such as "fades out".
      direction: Direction of the frames from `first` to `last`.
    """

    first: int
    last: int
    findings: tuple[str, ...]
    direction: Direction


def examine(frames_THWC: np.ndarray) -> Examined:
    """Finds edits in a video; uint8 RGB, T >= 2."""
    small_TD = _small(frames_THWC)
    energy_T = np.array([_edges(frame_HWC) for frame_HWC in frames_THWC])
    first, last, findings = 0, len(small_TD) - 1, []
    if (end := _end_before_fade(small_TD)) < last:
        last = end
        findings.append("fades out or ends without the picture")
    if (start := _start_after_fade(small_TD[: last + 1])) > 0:
        first = start
        findings.append("fades in")
    opening = _opening(small_TD[first : last + 1], energy_T[first : last + 1])
    if opening:
        first += opening
        findings.append("shows the finished picture before the canvas")
    if last - first < 1:
        first, last, findings = 0, len(small_TD) - 1, []
    found = slice(first, last + 1)
    return Examined(
        first,
        last,
        tuple(findings),
        _direction(frames_THWC[found], small_TD[found], energy_T[found]),
    )


def direction(frames_THWC: np.ndarray) -> Direction:
    """Determines the direction of a video, whatever was edited.

    A painting begins empty: flat in colour and without edges. Two quantities are followed over the
    video, the energy of edges and the variance of colour. Each gives two pieces of evidence:
    whether it grows (Kendall's tau against time), and how much smaller it is in the first frame
    than in the last. All four change sign when the video is reversed. They are weighted by how far
    the frames are in any order at all. Shuffled frames are detected from about eight frames on;
    three or four can be in order by chance. A video that begins with a half-finished painting may
    remain undecided.

    Args:
      frames_THWC: uint8 RGB, T >= 2.
    """
    energy_T = np.array([_edges(frame_HWC) for frame_HWC in frames_THWC])
    return _direction(frames_THWC, _small(frames_THWC), energy_T)


def _direction(frames_THWC: np.ndarray, small_TD: np.ndarray, energy_T: np.ndarray) -> Direction:
    spread_T = np.array([_spread(frame_HWC) for frame_HWC in frames_THWC])
    evidence = [
        part
        for amount_T in (energy_T, spread_T)
        for part in (_growth(amount_T), _relative_growth(amount_T))
    ]
    ordered = _ordered(small_TD)
    score = ordered * float(np.mean(evidence))
    return Direction(0 if abs(score) < _UNSURE else int(np.sign(score)), score, ordered)


def _small(frames_THWC: np.ndarray) -> np.ndarray:
    """Frames of a few pixels, float32[T, D]."""
    return np.stack([_resized(frame_HWC, _SMALL, _SMALL).ravel() for frame_HWC in frames_THWC])


def _resized(frame_HWC: np.ndarray, height: int, width: int) -> np.ndarray:
    image = Image.fromarray(frame_HWC)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float32)


def _edges(frame_HWC: np.ndarray) -> float:
    """Root mean square slope of the brightness in small cells, over all scales; 0 = uniform."""
    height, width = frame_HWC.shape[:2]
    factor = max(1.0, max(height, width) / _SIDE)
    shape = (max(8, round(height / factor)), max(8, round(width / factor)))
    light_HW = _resized(frame_HWC, *shape).mean(-1) / 127.5
    energy = 0.0
    for scale in _SCALES:
        small_HW = _averaged(light_HW, scale)
        across = np.square(np.diff(small_HW, axis=1))[:-1]
        down = np.square(np.diff(small_HW, axis=0))[:, :-1]
        cells = _averaged(across + down, max(4 // scale, 2))
        energy += float(np.mean(np.sqrt(cells + _FAINT)) - np.sqrt(_FAINT))
    return max(energy, 0.0)


def _averaged(values_HW: np.ndarray, side: int) -> np.ndarray:
    """Means of cells of this side; what does not fill a cell is left out."""
    height, width = (max(1, length // side) for length in values_HW.shape)
    side_y, side_x = min(side, values_HW.shape[0]), min(side, values_HW.shape[1])
    cells = values_HW[: height * side_y, : width * side_x]
    return cells.reshape(height, side_y, width, side_x).mean((1, 3))


def _spread(frame_HWC: np.ndarray) -> float:
    """Standard deviation of colours over the canvas."""
    return float(np.sqrt(frame_HWC.reshape(-1, 3).var(axis=0, dtype=np.float32).mean()) / 127.5)


def _growth(amount_T: np.ndarray) -> float:
    """Kendall's tau of an amount against time, in [-1, 1]."""
    rises_TT = np.sign(amount_T[None, :] - amount_T[:, None])
    pairs = np.triu_indices(len(amount_T), 1)
    return float(rises_TT[pairs].mean()) if len(pairs[0]) else 0.0


def _relative_growth(amount_T: np.ndarray) -> float:
    """Relative growth of an amount from the first to the last frame, in [-1, 1]."""
    return float((amount_T[-1] - amount_T[0]) / max(amount_T[-1] + amount_T[0], 1e-6))


def _ordered(small_TD: np.ndarray) -> float:
    """How far frames are in order, in either direction, in [0, 1].

    The mean of two indicators, each 0 on average for shuffled frames: among three frames the outer
    two differ most, and frames move away from the first one and towards the last.
    """
    count = len(small_TD)
    # The ends are nearest to themselves in any order: only frames between them are evidence.
    if count < 4:
        return 1.0
    apart_TT = np.stack([np.abs(small_TD - frame_D).mean(-1) for frame_D in small_TD])
    outer, threes = 0, 0
    for middle in range(1, count - 1):
        outer_BA = apart_TT[:middle, middle + 1 :]
        inner_BA = np.maximum(apart_TT[:middle, middle, None], apart_TT[None, middle, middle + 1 :])
        outer += int((outer_BA >= inner_BA).sum())
        threes += outer_BA.size
    along = _growth(apart_TT[0, 1:-1] - apart_TT[-1, 1:-1])
    # One in three by chance.
    return max((1.5 * outer / threes - 0.5 + along) / 2, 0.0)


def _end_before_fade(small_TD: np.ndarray) -> int:
    """Index of the last frame before a fade to black or white, or before a black end."""
    return max(
        0, min(_end_before_fade_to(small_TD, colour, is_end=True) for colour in (0.0, 255.0))
    )


def _start_after_fade(small_TD: np.ndarray) -> int:
    """Index of the first frame after a fade from black, or after a black beginning.

    A video that begins white begins with paper.
    """
    last = len(small_TD) - 1
    return last - _end_before_fade_to(small_TD[::-1], 0.0, is_end=False)


def _end_before_fade_to(small_TD: np.ndarray, colour: float, *, is_end: bool) -> int:
    """Index of the last full frame before a fade to a colour; the last index if there is none."""
    last = len(small_TD) - 1
    half = last // 2
    light_TD = small_TD - colour
    amount_T = np.sqrt(np.square(light_TD).mean(-1))
    most = amount_T[half:].max()
    if last + 1 < _FEWEST or amount_T[last] > _GONE * most or most < 1:
        return last
    for start in range(last - 1, half - 1, -1):
        if amount_T[start] < _FULL * most:
            continue
        share_T, other_T = _relative_to(light_TD[start], light_TD[start + 1 :])
        if other_T.max() > _ANOTHER or np.diff(share_T, prepend=1).max() > 0.05:
            return last
        is_gradual = np.any((share_T > 0.08) & (share_T < 0.92))
        # What is gone at once may be the last strokes of a video that runs backwards to its paper.
        before = amount_T[max(0, start - 1)] / amount_T[start]
        is_cut = colour == 0 and last + 1 >= _FEWEST_FOR_CUTS and before < 1 + _STEADY
        if not is_gradual and not is_cut:
            return last
        # A dark canvas may be covered at one stroke, a light that comes up passes by half-light.
        if share_T[-1] <= _GONE and (is_end or is_gradual or _is_flat(small_TD[start], most)):
            return _fullest(light_TD, start)
    return last


def _is_flat(small_D: np.ndarray, most: float) -> bool:
    """Whether a frame is nearly of one colour, relative to the light of a full picture."""
    pixels_PC = small_D.reshape(-1, 3)
    strays_PC = np.abs(pixels_PC - np.median(pixels_PC, axis=0)) > 0.1 * most
    return bool(strays_PC.any(-1).mean() < 0.3)


def _fullest(light_TD: np.ndarray, start: int) -> int:
    """Index of the first frame of the fade that the frame at `start` is a part of."""
    while start > 0:
        share_1, other_1 = _relative_to(light_TD[start], light_TD[start - 1 : start])
        # Strokes change a picture in places, a fade changes it everywhere.
        if other_1[0] > _SAME or share_1[0] < 1 + _SAME:
            break
        start -= 1
    return start


def _relative_to(light_D: np.ndarray, light_TD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of a frame's light in others, and how much of the rest is another picture."""
    energy = np.square(light_D).sum()
    share_T = light_TD @ light_D / energy
    other_T = np.sqrt(np.square(light_TD - share_T[:, None] * light_D).sum(-1) / energy)
    return share_T, other_T


def _opening(small_TD: np.ndarray, energy_T: np.ndarray) -> int:
    """Number of frames at the beginning that show the finished picture, and the change from it."""
    count = len(small_TD)
    far_T = np.sqrt(np.square(small_TD - small_TD[-1]).mean(-1))
    if count < _FEWEST or far_T.max() < _LEAST_CHANGE or far_T[0] > _ALIKE * far_T.max():
        return 0
    unlike = np.flatnonzero(far_T > _ALIKE * far_T.max())
    alike = int(unlike[0])
    canvas = alike + int(np.argmax(far_T[alike:] >= _UNLIKE * far_T[alike:].max()))
    comes_nearer = -_growth(far_T[canvas:])
    is_emptier = energy_T[canvas] < 0.6 * energy_T[-1] or _is_flat(small_TD[canvas], 255)
    if (
        alike > _LONGEST_OPENING * count
        or canvas - alike > max(3, _LONGEST_CHANGE * count)
        or canvas >= count - 2
        or comes_nearer < 0.5
        or not is_emptier
    ):
        return 0
    return canvas
