"""Measures the invisible mark: what it survives, what it changes, false alarms and times.

  python -m benchmarks.mark
  python -m benchmarks.mark --unmarked=DIR --unmarked=DIR2

Processes of photos from installed packages are painted by the stroke painter, from a blank canvas
to the photo, and marked. Each is attacked and read: the whole video, and three frames alone. With
--unmarked, the pictures and videos in folders are read as they are, besides the photos.
"""

import datetime
import os
import time

import numpy as np
from absl import flags

from benchmarks import attacks, machine, table
from painting_jax import cli
from painting_jax.data import painter, pictures, video
from painting_jax.data.photos import packaged
from painting_jax.errors import UserError
from painting_jax.provenance import detection, mark
from painting_jax.provenance.payload import Origin

_UNMARKED = flags.DEFINE_multi_string("unmarked", [], "Folder of files that carry no mark.")

_FRAMES = 17
_CANVAS = 247
_ORIGIN = Origin.of(datetime.date(2026, 11, 27), "benchmark", {"oil": 1.0})
# Photo, medium, height, width.
_PROCESSES = ((0, "oil", 384, 384), (2, "watercolor", 512, 512), (4, "acrylic", 768, 768))


def main() -> None:
    """Measures everything, then prints tables in markdown."""
    processes = [_process(*what) for what in _PROCESSES]
    table.tell("marking")
    marked = [mark.embed(frames_THWC, _ORIGIN) for frames_THWC in processes]
    _print_visibility(processes, marked)
    _print_survival(marked)
    _print_false_alarms(processes)
    _print_times(processes[-1], marked[-1])
    for line in machine.describe():
        print(f"- {line}")


def _process(photo: int, medium: str, height: int, width: int) -> np.ndarray:
    """A process from a blank canvas to the photo, uint8 RGB."""
    table.tell(f"painting {medium} at {height}x{width}")
    photo_HWC = pictures.fit(pictures.load(packaged()[photo].path), height, width)
    frames_THWC = painter.paint(photo_HWC, medium, frames=_FRAMES, seed=photo).frames_THWC.copy()
    frames_THWC[0], frames_THWC[-1] = _CANVAS, photo_HWC
    return frames_THWC


def _print_visibility(processes: list[np.ndarray], marked: list[np.ndarray]) -> None:
    psnrs = np.array(
        [
            [_psnr(before, after) for before, after in zip(*pair, strict=True)]
            for pair in zip(processes, marked, strict=True)
        ]
    )
    print(f"PSNR of marked frames: canvas {psnrs[:, 0].mean():.1f} dB, ", end="")
    print(f"all {psnrs.min():.1f} to {psnrs.max():.1f} dB\n")


def _psnr(before_HWC: np.ndarray, after_HWC: np.ndarray) -> float:
    error = np.mean(np.square(after_HWC.astype(np.float32) - before_HWC))
    return float(10 * np.log10(255**2 / error))


def _print_survival(marked: list[np.ndarray]) -> None:
    columns = [f"{what[2]}: {read}" for what in _PROCESSES for read in ("video", "frames alone")]
    print(f"| attack | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, attack in attacks.ATTACKS.items():
        table.tell(name)
        cells = []
        for frames_THWC in marked:
            is_found, frames = _found(attack(frames_THWC))
            cells += ["yes" if is_found else "no", f"{frames} of 3"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print()


def _found(frames_THWC: np.ndarray) -> tuple[bool, int]:
    """Whether the mark of a video is read, and in how many of canvas, middle and last frame."""
    alone = [frames_THWC[[index]] for index in (0, _FRAMES // 2, -1)]
    whole = detection.detect(frames_THWC) == _ORIGIN
    return whole, sum(detection.detect(frame) == _ORIGIN for frame in alone)


def _print_false_alarms(processes: list[np.ndarray]) -> None:
    table.tell("files without a mark")
    alarms = [detection.detect(frames_THWC) is not None for frames_THWC in processes]
    paths = [os.fspath(photo.path) for photo in packaged()]
    for folder in _UNMARKED.value:
        paths += [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    for path in paths:
        try:
            if video.is_video(path):
                frames_THWC = video.read(path, max_frames=_FRAMES, max_side=2048)[0]
            else:
                frames_THWC = video.shrink(pictures.load(path), 2048)[None]
        except UserError:
            continue
        alarms.append(detection.detect(frames_THWC) is not None)
    print(f"False alarms: {sum(alarms)} of {len(alarms)} files without a mark\n")


def _print_times(frames_THWC: np.ndarray, marked_THWC: np.ndarray) -> None:
    _, height, width, _ = frames_THWC.shape
    for what, run in (
        ("marking", lambda: mark.embed(frames_THWC, _ORIGIN)),
        ("reading, marked", lambda: detection.detect(marked_THWC)),
        ("reading, not marked", lambda: detection.detect(frames_THWC)),
    ):
        start = time.process_time()
        run()
        print(f"- {what}, {_FRAMES} frames of {width}x{height}: ", end="")
        print(f"{time.process_time() - start:.2f} s of a core")


if __name__ == "__main__":
    cli.run(main)
