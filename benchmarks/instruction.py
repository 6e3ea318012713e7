"""Measures what a tutorial tells of a process, where the truth is known: the stroke painter's.

  python -m benchmarks.instruction [--processes=40] [--photos=40]

Steps: stages end, and so do parts that are painted one after the other. Told of each order of
painting: the share of the cuts that lie within 3 % of the length of such an end, the share of the
ends that have a cut so near, and that share of the main ends. Main ends are as many as there may be
cuts. Whatever changes the canvas least (in CIELAB, on average over it) is joined to the smaller of
its neighbours until there are no more: the details of a region to its forms, and tiny regions to
each other.
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
from painting_jax.data.painter.manner import ORDERS, Manner, orders
from painting_jax.data.painter.stages import constructed
from painting_jax.data.painter.turns import turns
from painting_jax.instruction.changes import Changes
from painting_jax.instruction.mixing.colours import lab_of_srgb
from painting_jax.instruction.steps import MOST, cut
from painting_jax.instruction.whereabouts import Whereabouts

_PROCESSES = flags.DEFINE_integer(
    "processes", 40, "Processes in each order of painting that are cut into steps."
)
_PHOTOS = flags.DEFINE_integer("photos", 40, "Processes of which four photos are taken each.")

_FRAMES, _NEAR = 97, 0.03
_PHOTO = (680, 900)  # height and width in pixels


def main() -> None:
    """Measures and prints both tables."""
    _steps(_PROCESSES.value)
    _canvases(_PHOTOS.value)
    for line in machine.describe():
        print(f"- {line}")


def _steps(count: int) -> None:
    found = photos.packaged()
    print(
        "| order of painting | processes | ends | cuts at an end | ends with a cut "
        "| main ends | with a cut |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for place, order in enumerate(ORDERS):
        names = [name for name in media.MEDIA if order in orders(name)]
        at_end: list[bool] = []
        ends: list[bool] = []
        main: list[bool] = []
        for number in range(count):
            medium, photo = names[number % len(names)], found[number * 7 % len(found)]
            seed = 1000 * place + number
            manner = Manner.sample(medium, np.random.default_rng(seed))
            manner = dataclasses.replace(manner, order=order)
            table.tell(f"{photo.name} in {medium}, {order}")
            painting = painter.paint(
                pictures.fit(pictures.load(photo.path), 160, 160),
                medium,
                frames=_FRAMES,
                seed=seed,
                manner=manner,
            )
            stages = constructed(media.MEDIA[medium].stages, manner.construction)
            windows = [turn.window_G2 for turn in turns(stages, order, painting.segments_HW)]
            ends_E = np.unique(np.concatenate([window.ravel() for window in windows]).round(4))
            ends_E = ends_E[(ends_E > 0) & (ends_E < 0.999)]
            steps = cut(Changes.of(painting.frames_THWC))
            cut_C = np.array([step.last for step in steps[:-1]]) / (_FRAMES - 1)
            near_EC = np.abs(ends_E[:, None] - cut_C) <= _NEAR
            at_end += near_EC.any(0).tolist()
            ends += near_EC.any(1).tolist()
            main += near_EC.any(1)[_main(ends_E, painting.frames_THWC, MOST - 1)].tolist()
        print(
            f"| {order} | {count} | {len(ends)} | {np.mean(at_end):.1%} | {np.mean(ends):.1%} "
            f"| {len(main)} | {np.mean(main):.1%} |"
        )


def _main(ends_E: np.ndarray, frames_THWC: np.ndarray, most: int) -> list[int]:
    """Indices of the ends that are left when what changes least was joined to its neighbour."""
    at_E = np.round(ends_E * (len(frames_THWC) - 1)).astype(int)
    lab_MHWC = lab_of_srgb(frames_THWC[[0, *at_E, -1]])
    changes = np.abs(np.diff(lab_MHWC, axis=0)).sum(-1).mean((1, 2)).tolist()
    left = list(range(len(ends_E)))
    while len(left) > most:
        least = min(range(len(left)), key=lambda end: sorted(changes[end : end + 2]))
        changes[least : least + 2] = [changes[least] + changes[least + 1]]
        del left[least]
    return left


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
