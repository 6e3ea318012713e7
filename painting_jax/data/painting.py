"""Turns a photo into records: crops it, varies its colours, and paints it in each medium."""

import dataclasses
import functools
import hashlib

import numpy as np

from painting_jax.data import painter, pictures, segmentation, tones
from painting_jax.data.photos import Photo
from painting_jax.data.process import Process, Variant

# Largest side in pixels of the photo that is kept beside a held-out process: a model with a pixel
# head paints at any size.
_LARGE = 512
# Smallest side of a training crop, relative to the largest crop of its shape.
_SMALLEST_CROP = 0.6


@dataclasses.dataclass(frozen=True)
class PhotoTask:
    """A photo to paint once in each of several media.

    Attributes:
      photo: Photo to paint.
      key: Content hash of the photo.
      media: Names from `media.MEDIA`.
      height: Height of a frame in pixels.
      width: Width of a frame in pixels.
      frames: Number of frames of each process.
      seed: Seed which, with `key` and `variant`, determines crop, colours and stroke placement.
      variant: Index of the random crop, whose colours, tone and manner are random, too; None for
        the photo cropped at its centre.
      tone: Name from `tones.HELD_OUT` in which a centred crop is painted; None for its own.
      vary_tone: Whether a random crop has a random tone.
    """

    photo: Photo
    key: str
    media: tuple[str, ...]
    height: int
    width: int
    frames: int
    seed: int
    variant: int | None = None
    tone: str | None = None
    vary_tone: bool = True


def paint_photo(task: PhotoTask) -> list[Process]:
    """Paints one crop of a photo in each medium. The result depends only on the task and the file.

    Raises:
      UserError: If the photo cannot be read.
    """
    photo_HWC = _load(task.photo.path)
    if task.variant is None:
        crop_HWC = pictures.fit(photo_HWC, task.height, task.width)
        kept_HWC = _larger(photo_HWC, task.height, task.width)
        if task.tone is not None:
            crop_HWC, kept_HWC = map(tones.HELD_OUT[task.tone], (crop_HWC, kept_HWC))
    else:
        rng = np.random.default_rng(_seed(task, "crop"))
        crop_HWC = _random_crop(photo_HWC, task.height, task.width, rng)
        if task.vary_tone:
            crop_HWC = tones.varied(crop_HWC, rng)
        kept_HWC = crop_HWC = _jittered(crop_HWC, rng)
    segments_HW = segmentation.segment(crop_HWC)
    variants = (
        Variant("photo", pictures.encode(kept_HWC)),
        Variant("line_art", pictures.encode(painter.line_art(crop_HWC))),
    )
    return [_process(task, medium, crop_HWC, segments_HW, variants) for medium in task.media]


def _larger(photo_HWC: np.ndarray, height: int, width: int) -> np.ndarray:
    """The photo cropped at its centre, a whole multiple of a frame in size, for paintings of it."""
    sides = (*photo_HWC.shape[:2], _LARGE, _LARGE)
    times = max(1, min(have // need for have, need in zip(sides, (height, width) * 2, strict=True)))
    return pictures.fit(photo_HWC, times * height, times * width)


def _process(
    task: PhotoTask,
    medium: str,
    crop_HWC: np.ndarray,
    segments_HW: np.ndarray,
    variants: tuple[Variant, ...],
) -> Process:
    painted = painter.paint(
        crop_HWC,
        medium,
        frames=task.frames,
        seed=_seed(task, medium),
        manner=manner(task, medium),
        segments_HW=segments_HW,
    )
    frames = tuple(pictures.encode(frame_HWC) for frame_HWC in painted.frames_THWC)
    return Process(
        id=f"{task.photo.name}/{medium}/{task.variant or task.tone or 0}",
        frames=frames,
        progress=painted.progress_T,
        medium=medium,
        caption=f"{task.photo.subject}, {painter.describe(painted.manner)}",
        reference=frames[-1],
        variants=variants,
        segments=painted.segments_HW,
        source=task.photo.name,
        licence=task.photo.licence,
    )


def tone_of(process_id: str) -> str | None:
    """The tone from `tones.HELD_OUT` that a process was painted in; None for a photo's own."""
    last = process_id.rpartition("/")[2]
    return last if last in tones.HELD_OUT else None


def manner(task: PhotoTask, medium: str) -> painter.Manner:
    """Default ground and strokes for half of the processes, else any that the medium allows.

    The variants of a photo take all directions in turn: a direction shows in few frames, and a
    model does not learn rare ones.
    """
    rng = np.random.default_rng(_seed(task, f"manner of {medium}"))
    if rng.random() < 0.5:
        drawn = painter.Manner.default(medium)
    else:
        drawn = painter.Manner.sample(medium, rng)
    first = _seed(dataclasses.replace(task, variant=None), f"direction of {medium}")
    turn = (first + (task.variant or 0)) % len(painter.DIRECTIONS)
    return dataclasses.replace(drawn, direction=painter.DIRECTIONS[turn])


# The tasks of a photo follow each other: a small cache avoids reading it again for each variant.
@functools.lru_cache(maxsize=2)
def _load(path: str) -> np.ndarray:
    return pictures.load(path)


def _seed(task: PhotoTask, purpose: str) -> int:
    text = f"{task.seed}/{task.key}/{task.variant}/{purpose}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _random_crop(
    photo_HWC: np.ndarray, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """A crop of the given shape, at a random position and size, mirrored with probability 0.5."""
    top, left, bottom, right = pictures.centre_box(photo_HWC.shape[:2], height, width)
    side = rng.uniform(_SMALLEST_CROP, 1)
    box_height = max(1, round((bottom - top) * side))
    box_width = max(1, round((right - left) * side))
    y = rng.integers(photo_HWC.shape[0] - box_height + 1)
    x = rng.integers(photo_HWC.shape[1] - box_width + 1)
    crop_HWC = photo_HWC[y : y + box_height, x : x + box_width]
    if rng.random() < 0.5:
        crop_HWC = crop_HWC[:, ::-1]
    return pictures.resize(np.ascontiguousarray(crop_HWC), height, width)


def _jittered(picture_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Varies brightness, contrast, saturation and colour temperature mildly."""
    brightness, contrast, saturation = rng.uniform(0.85, 1.15, 3)
    warmth_C = 1 + np.array([1, 0, -1]) * rng.uniform(-0.05, 0.05)
    values_HWC = picture_HWC.astype(np.float32) * (brightness * warmth_C)
    grey_HW1 = values_HWC.mean(axis=-1, keepdims=True)
    values_HWC = grey_HW1 + saturation * (values_HWC - grey_HW1)
    middle = values_HWC.mean()
    values_HWC = middle + contrast * (values_HWC - middle)
    return np.clip(values_HWC + 0.5, 0, 255).astype(np.uint8)
