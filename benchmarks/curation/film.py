"""Films of a known process: what a camera over a desk would see while it is painted.

A clean process of the stroke painter is projected onto a canvas that lies at an angle on a desk. A
hand with a brush, and their shadow, go to where paint appears next and rest beside the canvas now
and then. The camera drifts and shakes, the light changes slowly, a logo stays in a corner, and the
file is compressed. The recording begins before the painting and ends after it, between a title card
and a fade; it has a pause, and a cut after which the camera stands elsewhere. Everything that is
added is known, pixel by pixel.
"""

import dataclasses
import pathlib
import tempfile

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.curation.hand import Hand

EXPOSURE = 0.85  # level of white, of 1: a camera keeps some light in reserve
_RESTS = 0.15  # share of the time in which the hand is away
_TITLE, _FADE = 5, 5  # frames of the title card and of the fade to black
_LOST = 0.03  # share of the painting that the cut leaves out
_REFRAMED = 1.05  # zoom after it
_FPS = 15


@dataclasses.dataclass(frozen=True)
class Film:
    """A film of T frames and what is true of it.

    Attributes:
      frames_THWC: uint8, what the camera saw.
      clean_THWC: uint8, the canvas alone from the front, without anything before it, in even light.
      occluded_THW: bool, where the hand, the brush or their shadow lie, in frames of the film.
      corners_T42: Corners (x, y) of the canvas in each frame, from the upper left clockwise.
      progress_T: Share of the painting that is done.
      start: Index of the last frame before anything is painted.
      end: Index of the first frame that shows the finished canvas.
      faded: Number of frames at the end that fade to black.
    """

    frames_THWC: np.ndarray
    clean_THWC: np.ndarray
    occluded_THW: np.ndarray
    corners_T42: np.ndarray
    progress_T: np.ndarray
    start: int
    end: int
    faded: int


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
      shadow: Whether it throws a shadow.
      logo: Whether a logo is shown.
      still: Share of the frames before the painting begins, and as many after it.
      pause: Share of the frames in which nobody paints, in the middle.
      cut: Whether the camera is moved in between.
      titles: Whether a title card precedes the film, and a fade to black ends it.
      crf: Constant rate factor of H.264; None for no compression.
    """

    height: int = 480
    width: int = 640
    frames: int = 220
    tilt: float = 0.06
    drift: float = 6.0
    shake: float = 0.5
    light: float = 0.08
    hand: bool = True
    shadow: bool = True
    logo: bool = True
    still: float = 0.06
    pause: float = 0.08
    cut: bool = True
    titles: bool = True
    crf: int | None = 23


def shot(process_NHWC: np.ndarray, shooting: Shooting, seed: int) -> Film:
    """Films a process.

    Args:
      process_NHWC: uint8 frames of a clean process, evenly spaced in progress.
      shooting: How it is filmed.
      seed: Seed of everything that is random.
    """
    rng = np.random.default_rng(seed)
    count, shape = shooting.frames, (shooting.height, shooting.width)
    progress_T, cut = _schedule(shooting, rng)
    index_T = np.rint(progress_T * (len(process_NHWC) - 1)).astype(int)
    moves_T2 = shooting.drift * _wander(count, 2, rng)
    moves_T2 = moves_T2 + shooting.shake * rng.normal(size=(count, 2))
    flat_42 = _corners(process_NHWC.shape[1:3], shooting, rng)
    desk_HWC = _desk(shape, rng)
    light_T3 = 1 + shooting.light * _wander(count, 3, rng) * np.array([1, 0.9, 0.8])
    tips_T2, away_T = _tips(process_NHWC, index_T, rng)
    hand = Hand(rng, shooting.height / 360, shooting.shadow)
    reframed_2 = rng.uniform(-1, 1, 2) * np.array([0.05, 0.04]) * shooting.width
    frames, occluded, corners = [], [], []
    for t in range(count):
        zoom, place_2 = (_REFRAMED, reframed_2) if t >= cut else (1.0, np.zeros(2))
        middle_2 = np.array(shape[::-1]) / 2
        view_23 = np.array([[zoom, 0, 0], [0, zoom, 0]])
        view_23[:, 2] = (1 - zoom) * middle_2 + place_2 + moves_T2[t]
        corners_42 = flat_42 @ view_23[:, :2].T + view_23[:, 2]
        canvas_HWC = process_NHWC[index_T[t]]
        to_film_33 = cv2.getPerspectiveTransform(
            _corners_of(canvas_HWC.shape[:2]).astype(np.float32), corners_42.astype(np.float32)
        )
        # The camera moves, and all that it sees with it.
        frame_HWC = cv2.warpAffine(
            desk_HWC, view_23, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        cv2.warpPerspective(
            canvas_HWC.astype(np.float32),
            to_film_33,
            shape[::-1],
            dst=frame_HWC,
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
        frame_HWC, mask_HW = frame_HWC.astype(float), np.zeros(shape, bool)
        if shooting.hand and not away_T[t]:
            tip_2 = cv2.perspectiveTransform(tips_T2[t].reshape(1, 1, 2), to_film_33)[0, 0]
            frame_HWC, mask_HW = hand.over(frame_HWC, tip_2)
        frame_HWC = EXPOSURE * frame_HWC * light_T3[t]
        if shooting.titles and t >= count - _FADE:
            frame_HWC *= (count - 1 - t) / _FADE
        if shooting.titles and t < _TITLE:
            frame_HWC, mask_HW = _title(shape), np.zeros(shape, bool)
        elif shooting.logo:
            frame_HWC = _with_logo(frame_HWC)
        noisy_HWC = frame_HWC + rng.normal(0, 1.5, frame_HWC.shape)
        frames.append(np.clip(noisy_HWC + 0.5, 0, 255).astype(np.uint8))
        occluded.append(mask_HW)
        corners.append(corners_42)
    frames_THWC = np.stack(frames)
    if shooting.crf is not None:
        frames_THWC = _compressed(frames_THWC, shooting.crf)
    return Film(
        frames_THWC,
        process_NHWC[index_T],
        np.stack(occluded),
        np.stack(corners),
        progress_T,
        int(np.flatnonzero(index_T == 0)[-1]),
        int(np.flatnonzero(index_T == len(process_NHWC) - 1)[0]),
        _FADE if shooting.titles else 0,
    )


def _schedule(shooting: Shooting, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Progress in each frame, and the index of the first frame after the cut."""
    count = shooting.frames
    titles = (_TITLE, _FADE) if shooting.titles else (0, 0)
    still, pause = round(shooting.still * count), round(shooting.pause * count)
    before, after = titles[0] + still, titles[1] + still
    painted = count - before - after - pause
    speed_T = np.full(painted, 1.0)
    speed_T[0] = 0
    # Where both are, at a quarter to three quarters of the painting.
    cut, paused = rng.integers(painted // 4, 3 * painted // 4, 2)
    if shooting.cut:
        speed_T[cut] = _LOST * painted
    speed_T = np.insert(speed_T, paused, np.zeros(pause))
    progress_T = np.cumsum(speed_T) / speed_T.sum()
    at = before + cut + (pause if paused <= cut else 0)
    return np.pad(progress_T, (before, after), mode="edge"), at if shooting.cut else count


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
    """A wooden desk, float32[H, W, 3], 0..255."""
    grain_HW = rng.normal(size=(shape[0], shape[1] // 8 + 1)).repeat(8, 1)[:, : shape[1]]
    image = Image.fromarray((128 + 25 * grain_HW).clip(0, 255).astype(np.uint8))
    grain_HW = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), float) - 128
    desk_HWC = rng.uniform((70, 50, 30), (150, 120, 90)) + grain_HW[..., None]
    return desk_HWC.astype(np.float32)


def _tips(
    process_NHWC: np.ndarray, index_T: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where the brush is on the canvas in each frame, (x, y), and whether the hand is away."""
    height, width = process_NHWC.shape[1:3]
    tips, away, tip_2, rest = [], [], np.array([width / 2, height / 2]), 0
    for t, index in enumerate(index_T):
        following = index_T[min(t + 1, len(index_T) - 1)]
        ahead = process_NHWC[following].astype(np.int16)
        change_HW = np.abs(ahead - process_NHWC[index]).sum(-1)
        if change_HW.max() > 30:
            place = rng.choice(change_HW.size, p=change_HW.ravel() / change_HW.sum())
            tip_2 = np.array([place % width, place // width], float)
        if rest == 0 and rng.random() < _RESTS / 4:
            rest = 4
        tips.append(tip_2 + rng.normal(0, 2, 2))
        # Nobody is there before the painting, after it, and while it pauses.
        away.append(rest > 0 or (following == index and index_T[max(0, t - 1)] == index))
        rest = max(0, rest - 1)
    return np.array(tips), np.array(away)


def _title(shape: tuple[int, int]) -> np.ndarray:
    """A title card, float[H, W, 3]."""
    height, width = shape
    card = Image.new("RGB", (width, height), (28, 34, 60))
    draw = ImageDraw.Draw(card)
    for line, share in enumerate((0.6, 0.45, 0.3)):
        top = (0.35 + 0.12 * line) * height
        draw.rectangle(
            [(1 - share) / 2 * width, top, (1 + share) / 2 * width, top + 0.05 * height],
            fill=(235, 220, 180),
        )
    return np.asarray(card, float)


def _with_logo(frame_HWC: np.ndarray) -> np.ndarray:
    height, width = frame_HWC.shape[:2]
    logo_HWC = frame_HWC.copy()
    top, left = round(0.04 * height), round(0.8 * width)
    box = logo_HWC[top : top + height // 16, left : left + width // 7]
    box[...] = 0.3 * box + 0.7 * np.array([240, 240, 250])
    box[3:-3, 3:8] = (200, 30, 40)
    return logo_HWC


def _compressed(frames_THWC: np.ndarray, crf: int) -> np.ndarray:
    """The frames after H.264."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "film.mp4")
        with av.open(path, "w") as out:
            options = {"crf": str(crf), "preset": "medium", "threads": "1"}
            stream = out.add_stream("libx264", rate=_FPS, options=options)
            stream.height, stream.width = frames_THWC.shape[1:3]
            stream.pix_fmt = "yuv420p"
            for frame_HWC in frames_THWC:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
            out.mux(stream.encode())
        with av.open(path) as film:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])
