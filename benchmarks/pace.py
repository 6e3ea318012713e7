"""Measures how far the packaged weights are ahead of the stroke painter that they learned from.

  python -m benchmarks.pace
  python -m benchmarks.pace --workdir=RUN

The stroke painter paints photos that were not trained on, from installed packages, and the weights
paint its finished pictures, at an even pace and at the config's. Printed are the profiles of both,
and the value of config.sampling.pace at which they are nearest to each other.
"""

import numpy as np
from absl import flags

from benchmarks import machine, packaged, table
from painting_jax import cli
from painting_jax.data import painter, pictures
from painting_jax.data import photos as photos_lib
from painting_jax.evaluation.networks import Networks
from painting_jax.generation import pace
from painting_jax.generation.run import Run
from painting_jax.metrics import perceptual

_WORKDIR = flags.DEFINE_string("workdir", None, "Run to measure [default: the packaged weights].")
_SIZE = flags.DEFINE_integer("size", 512, "Side of the paintings in pixels.")

_PHOTOS = 12
_FRAMES = 17
_MEDIA = ("oil", "watercolor", "pencil", "digital", "acrylic", "ink", "pastel", "charcoal")
_EVEN = (0.5,)


def main() -> None:
    """Measures both, and prints them in markdown."""
    run = packaged.load(_WORKDIR.value)
    own = tuple(run.config.sampling.pace)
    size, distance = _SIZE.value, Networks.open().distance
    by_painter, even, by_config = [], [], []
    for number, photo in enumerate(photos_lib.packaged()[:_PHOTOS]):
        medium = _MEDIA[number % len(_MEDIA)]
        table.tell(f"{photo.name} in {medium}")
        photo_HWC = pictures.fit(pictures.load(photo.path), size, size)
        painted_THWC = painter.paint(photo_HWC, medium, frames=_FRAMES, seed=number).frames_THWC
        finished_HWC = painted_THWC[-1]
        by_painter.append(_profile(distance, painted_THWC, finished_HWC))
        for at, found in ((_EVEN, even), (own, by_config)):
            frames_THWC = _painted(run, finished_HWC, medium, at)
            found.append(_profile(distance, frames_THWC, finished_HWC))
    _show(np.array(by_painter), {_EVEN: np.array(even), own: np.array(by_config)})
    print(f"\nNearest pace: {pace.nearest(np.array(by_painter), np.array(even))}\n")
    for line in machine.describe():
        print(f"- {line}")


def _painted(run: Run, picture_HWC: np.ndarray, medium: str, at: tuple[float, ...]) -> np.ndarray:
    """A process at a pace, uint8[T, H, W, 3]."""
    with run.config.unlocked():
        run.config.sampling.pace = at
    settings = {"size": max(picture_HWC.shape), "frames": _FRAMES}
    return next(packaged.paint(run, picture_HWC, [medium], **settings)).frames_THWC


def _profile(distance, frames_THWC: np.ndarray, finished_HWC: np.ndarray) -> np.ndarray:
    return np.asarray(perceptual.distances(distance, frames_THWC, finished_HWC[None]))


def _show(painter_NT: np.ndarray, paces: dict[tuple[float, ...], np.ndarray]) -> None:
    shown_T = range(0, _FRAMES, 2)
    print(
        f"| share of the time | {' | '.join(f'{t / (_FRAMES - 1):.2f}' for t in shown_T)} | PDP |"
    )
    print("|---|" + "--:|" * (len(shown_T) + 1))
    rows = {"stroke painter": painter_NT}
    rows |= {f"weights, pace {at}": profile_NT for at, profile_NT in paces.items()}
    for name, profile_NT in rows.items():
        profile = " | ".join(f"{profile_NT[:, t].mean():.3f}" for t in shown_T)
        print(f"| {name} | {profile} | {np.abs(profile_NT - painter_NT).mean():.3f} |")


if __name__ == "__main__":
    cli.run(main)
