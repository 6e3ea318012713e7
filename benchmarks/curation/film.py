"""Films of a known process: what a camera over a desk would see while it is painted.

A clean process of the stroke painter is projected onto a canvas that lies at an angle on a desk. A
hand with a brush, and their shadow, go to where paint appears next and rest beside the canvas now
and then. The camera drifts and shakes, the light changes slowly, and a logo stays in a corner.
Everything that is added is known, pixel by pixel.
"""

import dataclasses

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage
from skimage import transform

_SKIN = ((224, 172, 138), (141, 85, 54), (198, 134, 98), (255, 219, 189))
_SLEEVES = ((60, 70, 110), (200, 190, 180), (35, 35, 38), (120, 30, 40))
EXPOSURE = 0.85  # level of white, of 1: a camera keeps some light in reserve
_RESTS = 0.15  # share of the time in which the hand is away


@dataclasses.dataclass(frozen=True)
class Film:
    """A film of T frames and what is true of it.

    Attributes:
      frames_THWC: uint8, what the camera saw.
      clean_THWC: uint8, the canvas alone from the front, without anything before it, in even light.
      occluded_THW: bool, where the hand, the brush or their shadow lie, in frames of the film.
      corners_T42: Corners (x, y) of the canvas in each frame, from the upper left clockwise.
      progress_T: Share of the painting that is done.
    """

    frames_THWC: np.ndarray
    clean_THWC: np.ndarray
    occluded_THW: np.ndarray
    corners_T42: np.ndarray
    progress_T: np.ndarray


@dataclasses.dataclass(frozen=True)
class Shooting:
    """How a film is shot; what is not wanted is 0 or False.

    Attributes:
      height: Height of the film in pixels.
      width: Width of the film in pixels.
      frames: Number of frames.
      tilt: How far the corners of the canvas are off a rectangle, as a share of its sides.
      drift: How far the camera wanders, in pixels.
      shake: Deviation of its shake, in pixels.
      light: Largest change of the light, as a share.
      hand: Whether a hand paints.
      logo: Whether a logo is shown.
    """

    height: int = 360
    width: int = 480
    frames: int = 160
    tilt: float = 0.06
    drift: float = 6.0
    shake: float = 0.5
    light: float = 0.08
    hand: bool = True
    logo: bool = True


def shot(process_NHWC: np.ndarray, shooting: Shooting, seed: int) -> Film:
    """Films a process.

    Args:
      process_NHWC: uint8 frames of a clean process, evenly spaced in progress.
      shooting: How it is filmed.
      seed: Seed of everything that is random.
    """
    rng = np.random.default_rng(seed)
    count, shape = shooting.frames, (shooting.height, shooting.width)
    progress_T = np.linspace(0, 1, count)
    index_T = np.rint(progress_T * (len(process_NHWC) - 1)).astype(int)
    clean_THWC = process_NHWC[index_T]
    moves_T2 = shooting.drift * _wander(count, 2, rng)
    moves_T2 = moves_T2 + shooting.shake * rng.normal(size=(count, 2))
    corners_T42 = _corners(process_NHWC.shape[1:3], shooting, rng) + moves_T2[:, None]
    desk_HWC = _desk(shape, rng)
    light_T3 = 1 + shooting.light * _wander(count, 3, rng) * np.array([1, 0.9, 0.8])
    tips_T2, away_T = _tips(process_NHWC, index_T, rng)
    hand = _Hand(rng, scale=shooting.height / 360)
    frames, occluded = [], []
    for t in range(count):
        to_canvas = transform.ProjectiveTransform.from_estimate(
            corners_T42[t], _corners_of(clean_THWC.shape[1:3])
        )
        canvas_HWC = transform.warp(
            clean_THWC[t], to_canvas, output_shape=shape, order=1, cval=-1, preserve_range=True
        )
        # The camera moves, and all that it sees with it.
        moved_HWC = ndimage.shift(desk_HWC, (*moves_T2[t, ::-1], 0), order=1, mode="mirror")
        frame_HWC = np.where(canvas_HWC < 0, moved_HWC, canvas_HWC)
        mask_HW = np.zeros(shape, bool)
        if shooting.hand and not away_T[t]:
            tip_2 = to_canvas.inverse(tips_T2[t][None])[0]
            frame_HWC, mask_HW = hand.over(frame_HWC, tip_2)
        frame_HWC = EXPOSURE * frame_HWC * light_T3[t]
        if shooting.logo:
            frame_HWC = _with_logo(frame_HWC)
        noisy_HWC = frame_HWC + rng.normal(0, 1.5, frame_HWC.shape)
        frames.append(np.clip(noisy_HWC + 0.5, 0, 255).astype(np.uint8))
        occluded.append(mask_HW)
    return Film(np.stack(frames), clean_THWC, np.stack(occluded), corners_T42, progress_T)


def _corners_of(shape_HW: tuple[int, int]) -> np.ndarray:
    height, width = shape_HW
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], float) - 0.5


def _corners(
    canvas_HW: tuple[int, int], shooting: Shooting, rng: np.random.Generator
) -> np.ndarray:
    """Corners of the canvas before the camera moves, float[4, 2]."""
    size = 0.78 * min(shooting.height / canvas_HW[0], shooting.width / canvas_HW[1])
    rectangle_42 = _corners_of(canvas_HW) - np.array([canvas_HW[1], canvas_HW[0]]) / 2
    bent_42 = rectangle_42 * (1 + shooting.tilt * rng.uniform(-1, 1, (4, 2)))
    middle_2 = np.array([shooting.width, shooting.height]) / 2
    return middle_2 + size * bent_42


def _wander(count: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Slow, smooth motion from 0, within -1..1: float[count, channels]."""
    time_T1 = np.linspace(0, 1, count)[:, None]
    phase, speed = rng.uniform(0, 2 * np.pi, channels), rng.uniform(0.5, 1.5, channels)
    way = np.sin(2 * np.pi * speed * time_T1 + phase) - np.sin(phase)
    return way / np.abs(way).max()


def _desk(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A wooden desk, float[H, W, 3], 0..255."""
    grain_HW = rng.normal(size=(shape[0], shape[1] // 8 + 1)).repeat(8, 1)[:, : shape[1]]
    image = Image.fromarray((128 + 25 * grain_HW).clip(0, 255).astype(np.uint8))
    grain_HW = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), float) - 128
    return rng.uniform((70, 50, 30), (150, 120, 90)) + grain_HW[..., None]


def _tips(
    process_NHWC: np.ndarray, index_T: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where the brush is on the canvas in each frame, (x, y), and whether the hand is away."""
    height, width = process_NHWC.shape[1:3]
    tips, away, tip_2, rest = [], [], np.array([width / 2, height / 2]), 0
    for t in range(len(index_T)):
        ahead = process_NHWC[index_T[min(t + 1, len(index_T) - 1)]].astype(np.int16)
        change_HW = np.abs(ahead - process_NHWC[index_T[t]]).sum(-1)
        if change_HW.max() > 30:
            place = rng.choice(change_HW.size, p=change_HW.ravel() / change_HW.sum())
            tip_2 = np.array([place % width, place // width], float)
        if rest == 0 and rng.random() < _RESTS / 4:
            rest = 4
        tips.append(tip_2 + rng.normal(0, 2, 2))
        away.append(rest > 0)
        rest = max(0, rest - 1)
    return np.array(tips), np.array(away)


class _Hand:
    """A hand with a brush that comes from the lower right."""

    def __init__(self, rng: np.random.Generator, scale: float):
        self._skin = _SKIN[rng.integers(len(_SKIN))]
        self._sleeve = _SLEEVES[rng.integers(len(_SLEEVES))]
        self._handle = tuple(rng.integers(40, 200, 3))
        self._scale = scale * rng.uniform(0.8, 1.2)

    def over(self, frame_HWC: np.ndarray, tip_2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The frame with the hand whose brush touches the tip, and where hand and shadow lie."""
        height, width = frame_HWC.shape[:2]
        colour, cover = Image.new("RGB", (width, height)), Image.new("L", (width, height))
        far_2 = tip_2 + self._scale * np.array([70, 62])
        elbow_2 = tip_2 + self._scale * np.array([330, 420])
        for draw, paints in (
            (ImageDraw.Draw(colour), (self._handle, self._sleeve, self._skin)),
            (ImageDraw.Draw(cover), (255, 255, 255)),
        ):
            handle, sleeve, skin = paints
            self._limb(draw, tip_2, far_2, 2.5, handle)
            self._limb(draw, far_2 + 0.25 * (elbow_2 - far_2), elbow_2, 36, sleeve)
            self._limb(draw, far_2, far_2 + 0.3 * (elbow_2 - far_2), 24, skin)
            self._blob(draw, far_2, (30, 24), skin)
            for finger in (-16, -5, 6, 16):
                self._limb(
                    draw, far_2 + np.array([finger, -10]), 0.55 * far_2 + 0.45 * tip_2, 6, skin
                )
        alpha_HW1 = np.asarray(cover, float)[..., None] / 255
        offset = (round(10 * self._scale), round(8 * self._scale))
        shadow = Image.new("L", (width, height))
        shadow.paste(cover, offset)
        shadow = shadow.filter(ImageFilter.GaussianBlur(5 * self._scale))
        dark_HW1 = 0.4 * np.asarray(shadow, float)[..., None] / 255
        shaded_HWC = frame_HWC * (1 - dark_HW1)
        mask_HW = ((alpha_HW1 > 0.5) | (dark_HW1 > 0.04))[..., 0]
        return shaded_HWC + alpha_HW1 * (np.asarray(colour, float) - shaded_HWC), mask_HW

    def _limb(self, draw, from_2: np.ndarray, to_2: np.ndarray, radius: float, paint) -> None:
        ends = [*map(float, from_2), *map(float, to_2)]
        draw.line(ends, fill=paint, width=max(1, round(2 * radius * self._scale)))
        self._blob(draw, to_2, (radius, radius), paint)
        self._blob(draw, from_2, (radius, radius), paint)

    def _blob(self, draw, middle_2: np.ndarray, radii: tuple[float, float], paint) -> None:
        half_2 = self._scale * np.array(radii)
        draw.ellipse([*map(float, middle_2 - half_2), *map(float, middle_2 + half_2)], fill=paint)


def _with_logo(frame_HWC: np.ndarray) -> np.ndarray:
    height, width = frame_HWC.shape[:2]
    logo_HWC = frame_HWC.copy()
    top, left = round(0.04 * height), round(0.8 * width)
    box = logo_HWC[top : top + height // 16, left : left + width // 7]
    box[...] = 0.3 * box + 0.7 * np.array([240, 240, 250])
    box[3:-3, 3:8] = (200, 30, 40)
    return logo_HWC
