"""How fast a recording is cleaned, step by step, beside bare decoding of the same frames."""

import collections
import contextlib
import functools
import pathlib
import statistics
import time
from collections.abc import Iterator
from unittest import mock

import cv2

from benchmarks.curation.film import Shooting, shot
from benchmarks.timing import Row, seconds
from painting_jax.data import painter, photos, pictures, video
from painting_jax.data.curation import (
    camera,
    canvas,
    cleaning,
    denoising,
    filling,
    light,
    occluders,
    overlays,
    screen,
)

# The functions that `cleaning.cleaned` calls, by step.
_STEPS = {
    "is it a screen": ((screen, "found"),),
    "camera": ((camera, "shrunk"), (camera, "followed")),
    "logos": ((overlays, "found"), (canvas, "mask_from_front")),
    "light": ((camera, "aligned"), (light, "gains"), (light, "evened")),
    "canvas": ((canvas, "found"), (canvas, "front")),
    "occluders": ((occluders, "occluded"),),
    "filling": ((filling, "filled"),),
    "denoising": ((denoising, "denoised"),),
    "activity": ((cleaning, "activity"),),
}
_SIDE = 192


def film(path: pathlib.Path, width: int, frames: int = 220) -> None:
    """Writes a film of a hand that paints, of 480 rows; see `curation.film`."""
    photo_HWC = pictures.fit(pictures.load(photos.packaged()[0].path), _SIDE, _SIDE)
    process_NHWC = painter.paint(photo_HWC, "oil", frames=161, seed=0).frames_THWC
    filmed = shot(process_NHWC, Shooting(width=width, frames=frames), seed=0)
    video.write_mp4(path, filmed.frames_THWC, 15)


def measure(path: pathlib.Path, runs: int) -> list[Row]:
    """Frames a second of one core: cleaning, its steps, bare decoding, and the ratio."""
    cv2.setNumThreads(1)
    read = functools.partial(video.read, path, max_frames=1 << 20)
    frames_THWC, _ = read()
    count, height, width, _ = frames_THWC.shape
    each: dict[str, list[float]] = collections.defaultdict(list)
    decoding, whole = [], []

    def clean() -> None:
        # Looked up anew: a default would be the function that is not timed.
        cleaning.cleaned(frames_THWC, occluders_in=occluders.occluded)

    clean()
    for _ in range(runs):
        decoding.append(count / seconds(read))
        with _timed() as spent:
            whole.append(count / seconds(clean))
        for step, took in spent.items():
            each[step].append(count / took)
    note = f"{count} frames of {width}x{height}"
    ratios = [a / b for a, b in zip(whole, decoding, strict=True)]
    share = {
        step: statistics.median(whole) / statistics.median(speeds) for step, speeds in each.items()
    }
    return [
        Row("bare decoding to RGB", "frames/s", decoding, note),
        Row("cleaning", "frames/s", whole, note),
        *(
            Row(f"- {step}", "frames/s", speeds, f"{share[step]:.0%} of the time")
            for step, speeds in each.items()
        ),
        Row("cleaning / bare decoding", "", ratios, "pairs of runs, by turns"),
    ]


@contextlib.contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Collects the seconds that each step takes."""
    spent = dict.fromkeys(_STEPS, 0.0)
    # A function that another step calls counts there.
    inside = []

    def watched(step: str, function):
        def call(*args, **kwargs):
            inside.append(step)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                inside.pop()
                if not inside:
                    spent[step] += time.perf_counter() - start

        return call

    with contextlib.ExitStack() as stack:
        for step, functions in _STEPS.items():
            for module, name in functions:
                replacement = watched(step, getattr(module, name))
                stack.enter_context(mock.patch.object(module, name, replacement))
        yield spent
