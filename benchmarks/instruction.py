"""Measures what a tutorial tells of a process, where the truth is known: the stroke painter's.

  python -m benchmarks.instruction [--processes=40] [--photos=16]

Steps: share of the ends of stages, and of parts that are painted one after the other, that have a
cut within 3 % of the length; and share of the cuts that lie at such an end.
Canvases: share of the photos of half-finished canvases whose progress is told to within .05. A
photo is rendered: askew on a table, in warm light that falls off, with noise, as a JPEG. It is held
against a process of the same picture with other frames.
"""

import dataclasses
import io

import numpy as np
from absl import flags
from PIL import Image
from scipy import ndimage
from skimage import transform

from benchmarks import machine, table
from painting_jax import cli, media
from painting_jax.data import canvas_photo, painter, photos, pictures, quadrilateral
from painting_jax.data.painter.manner import ALLA_PRIMA, Manner
from painting_jax.data.painter.stages import constructed
from painting_jax.data.painter.turns import turns
from painting_jax.instruction.changes import Changes
from painting_jax.instruction.steps import cut
from painting_jax.instruction.whereabouts import Whereabouts

_PROCESSES = flags.DEFINE_integer("processes", 40, "Processes that are cut into steps.")
_PHOTOS = flags.DEFINE_integer("photos", 16, "Processes of which four photos are taken each.")

_FRAMES, _NEAR = 97, 0.03
_PHOTO = (680, 900)  # height and width in pixels


def main() -> None:
    """Measures and prints both tables."""
    _steps(_PROCESSES.value)
    _canvases(_PHOTOS.value)
    for line in machine.describe():
        print(f"- {line}")


def _steps(count: int) -> None:
    found, names = photos.packaged(), list(media.MEDIA)
    hits: dict[str, list[bool]] = {}
    cuts: dict[str, list[bool]] = {}
    for number in range(count):
        medium, photo = names[number % len(names)], found[number * 7 % len(found)]
        manner = Manner.sample(medium, np.random.default_rng(number))
        if number % 2 == 0:
            manner = dataclasses.replace(manner, order=ALLA_PRIMA)
        table.tell(f"{photo.name} in {medium}, {manner.order}")
        painting = painter.paint(
            pictures.fit(pictures.load(photo.path), 160, 160),
            medium,
            frames=_FRAMES,
            seed=number,
            manner=manner,
        )
        stages = constructed(media.MEDIA[medium].stages, manner.construction)
        windows = [turn.window_G2 for turn in turns(stages, manner.order, painting.segments_HW)]
        ends_E = np.unique(np.concatenate([window.ravel() for window in windows]).round(4))
        ends_E = ends_E[(ends_E > 0) & (ends_E < 0.999)]
        steps = cut(Changes.of(painting.frames_THWC))
        cut_C = np.array([step.last for step in steps[:-1]]) / (_FRAMES - 1)
        apart_EC = np.abs(ends_E[:, None] - cut_C)
        hits.setdefault(manner.order, []).extend((apart_EC.min(1) <= _NEAR).tolist())
        cuts.setdefault(manner.order, []).extend((apart_EC.min(0) <= _NEAR).tolist())
    print(
        "| order of painting | ends | with a cut within 3 % | cuts at an end |\n|---|--:|--:|--:|"
    )
    for order, hit in hits.items():
        print(f"| {order} | {len(hit)} | {np.mean(hit):.1%} | {np.mean(cuts[order]):.1%} |")


def _canvases(count: int) -> None:
    found, names = photos.packaged(), list(media.MEDIA)
    rng, errors = np.random.default_rng(0), []
    for number in range(count):
        medium, photo = names[number % len(names)], found[(number * 5 + 2) % len(found)]
        table.tell(f"canvases of {photo.name} in {medium}")
        picture_HWC = pictures.shrunk(pictures.load(photo.path), 384)
        known = painter.paint(picture_HWC, medium, seed=number)
        fine = painter.paint(picture_HWC, medium, frames=101, seed=number)
        where = Whereabouts.of(known.frames_THWC, known.progress_T)
        for at in rng.choice(np.arange(5, 96), 4, replace=False):
            photo_HWC = photographed(fine.frames_THWC[at], rng)
            corners_42 = canvas_photo.corners(photo_HWC, picture_HWC)
            canvas_HWC = quadrilateral.rectified(photo_HWC, corners_42, *picture_HWC.shape[:2])
            told = where.progress(np.clip(canvas_HWC + 0.5, 0, 255).astype(np.uint8))
            errors.append(abs(told - at / 100))
    print("\n| photos of canvases | told to within .05 | median error |\n|--:|--:|--:|")
    near = np.mean(np.array(errors) <= 0.05)
    print(f"| {len(errors)} | {near:.1%} | {np.median(errors):.3f} |\n")


def photographed(canvas_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photo of a canvas on a table, uint8: askew, in warm light from one side, with noise."""
    (high, wide), (height, width) = canvas_HWC.shape[:2], _PHOTO
    scale = 0.72 * min(width / wide, height / high)
    half_2 = scale * np.array([wide, high]) / 2
    corners_42 = np.array([width, height]) / 2 + half_2 * [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    corners_42 += rng.uniform(-0.05, 0.05, (4, 2)) * min(height, width)
    there = transform.ProjectiveTransform.from_estimate(
        corners_42, quadrilateral.whole((high, wide))
    )
    x_HW, y_HW = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x_P, y_P = there(np.stack([x_HW.ravel(), y_HW.ravel()], 1)).T
    inside_P = (x_P >= 0) & (x_P <= wide) & (y_P >= 0) & (y_P <= high)
    photo_P3 = np.tile(rng.uniform(90, 190, 3), (height * width, 1))
    for c in range(3):
        seen_P = ndimage.map_coordinates(
            canvas_HWC[..., c].astype(float), (y_P - 0.5, x_P - 0.5), order=1, mode="nearest"
        )
        photo_P3[inside_P, c] = seen_P[inside_P]
    photo_HWC = photo_P3.reshape(height, width, 3)
    photo_HWC *= np.linspace(rng.uniform(0.75, 0.9), rng.uniform(0.9, 1), width)[:, None]
    photo_HWC *= (rng.uniform(1, 1.1), 1, rng.uniform(0.8, 0.95))
    photo_HWC += rng.normal(0, 3, photo_HWC.shape)
    file = io.BytesIO()
    Image.fromarray(photo_HWC.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


if __name__ == "__main__":
    cli.run(main)
