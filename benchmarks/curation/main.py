"""Measures how well recordings are cleaned, on films whose truth is known.

  python -m benchmarks.curation.main [--films=20]

The stroke painter paints photos that come with packages, in several media; `film` films that. Each
row is a way of cleaning. PSNR is that of all cleaned frames to the true canvas, after one gain a
channel, since nobody knows how bright the light was. Restored is the share of pixels hidden at the
time that are within 8 of 255 of the truth. Corners are the largest error, of the film's width.
"""

import numpy as np
from absl import flags

from benchmarks import machine, table
from benchmarks.curation.film import Film, Shooting, shot
from painting_jax import cli
from painting_jax.data import painter, photos, pictures
from painting_jax.data.curation import canvas
from painting_jax.data.curation.cleaning import Steps, cleaned

_FILMS = flags.DEFINE_integer("films", 20, "Number of films.")

_SIDE = 192
_MEDIA = ("oil", "watercolor", "acrylic", "pastel", "pencil")
_WINDOW = 11  # frames of the sliding median of the published recipe, painvidpro's


def main() -> None:
    """Films, cleans and prints a table in markdown."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    found = photos.packaged()
    for number in range(_FILMS.value):
        photo, medium = found[number % len(found)], _MEDIA[number % len(_MEDIA)]
        table.tell(f"{photo.name} in {medium}")
        photo_HWC = pictures.fit(pictures.load(photo.path), _SIDE, _SIDE)
        process = painter.paint(photo_HWC, medium, frames=161, seed=number).frames_THWC
        film = shot(process, Shooting(), seed=number)
        front = _front(film.frames_THWC, film.corners_T42 + 0.5)
        rows.setdefault("frames as they are", []).append((*_scores(front, film), 0.0))
        median = _median(front)
        rows.setdefault(f"sliding median of {_WINDOW}", []).append((*_scores(median, film), 0.0))
        for name, steps in (
            ("cleaned", Steps()),
            ("without the light", Steps(light=False)),
            ("without the occluders", Steps(occluders=False)),
        ):
            result = cleaned(film.frames_THWC, steps)
            corners = 1.0
            if result.corners_T42 is not None:
                off = np.linalg.norm(result.corners_T42 - film.corners_T42 - 0.5, axis=-1)
                corners = float(off.max()) / film.frames_THWC.shape[2]
            rows.setdefault(name, []).append((*_scores(result.frames_THWC, film), corners))
    print("\n| | PSNR | restored | corners |\n|---|--:|--:|--:|")
    for name, scores in rows.items():
        psnr, restored, corners = np.mean(scores, 0)
        known = f"{corners:.2%}" if corners else "given"
        print(f"| {name} | {psnr:.1f} dB | {restored:.1%} | {known} |")
    print(f"\n{_FILMS.value} films.")
    for line in machine.describe():
        print(f"- {line}")


def _front(frames_THWC: np.ndarray, corners_T42: np.ndarray) -> np.ndarray:
    return canvas.front(frames_THWC, corners_T42, _SIDE, _SIDE)


def _median(frames_THWC: np.ndarray) -> np.ndarray:
    half = _WINDOW // 2
    long_NHWC = np.pad(frames_THWC, ((half, half), (0, 0), (0, 0), (0, 0)), mode="edge")
    return np.stack(
        [np.median(long_NHWC[t : t + _WINDOW], 0) for t in range(len(frames_THWC))]
    ).astype(np.uint8)


def _scores(frames_THWC: np.ndarray, film: Film) -> tuple[float, float]:
    """PSNR in dB, and the share of hidden pixels that are restored."""
    seen = np.stack([pictures.resize(frame, _SIDE, _SIDE) for frame in frames_THWC]).astype(float)
    seen *= np.median((film.clean_THWC + 8.0) / (seen + 8.0), (0, 1, 2))
    masks = 255 * film.occluded_THW[..., None].astype(np.uint8)
    hidden_THW = _front(masks, film.corners_T42 + 0.5)[..., 0] > 127
    apart = seen - film.clean_THWC
    restored = float((np.abs(apart).max(-1)[hidden_THW] <= 8).mean())
    return float(10 * np.log10(255**2 / np.mean(apart**2))), restored


if __name__ == "__main__":
    cli.run(main)
