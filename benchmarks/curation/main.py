"""Measures how well recordings are cleaned, on films whose truth is known.

  python -m benchmarks.curation.main [--films=20]

The stroke painter paints photos that come with packages, in several media; `film` films that. Each
row is a way of cleaning, over the frames from the beginning of the painting to its end:

PSNR and SSIM of the frames to the true canvas, after one gain a channel, since nobody knows how
bright the light was. A frame that was dropped counts as the kept one that is nearest in time.
Restored: share of the pixels hidden at the time that are within 8 of 255 of the truth.
Ghosts: share of the hidden pixels that still look more like what hid them than like the truth.
Late: frames by which a change of the canvas is shown too late, the mean over pixels.
Mask: intersection over union of what was taken for hands, tools and shadows, and what was.
Corners: the largest error, of the film's width. Span: the larger error of start and end, of its
length. Progress: the mean error.
"""

import dataclasses
import time

import cv2
import numpy as np
from absl import flags
from skimage import metrics

from benchmarks import machine, table
from benchmarks.curation import recipe
from benchmarks.curation.film import Film, Shooting, shot
from painting_jax import cli
from painting_jax.data import painter, photos, pictures
from painting_jax.data.curation import camera, canvas, denoising, filling
from painting_jax.data.curation.cleaning import Steps, cleaned

_FILMS = flags.DEFINE_integer("films", 20, "Number of films.")

_SIDE = 192
_MEDIA = ("oil", "watercolor", "acrylic", "pastel", "pencil")
_COLUMNS = (
    "PSNR", "SSIM", "restored", "ghosts", "late", "mask", "corners", "span", "progress",
)  # fmt: skip
_STEPS = {
    "cleaned": Steps(),
    "without following the camera": Steps(camera=False),
    "without the light": Steps(light=False),
    "without the overlays": Steps(overlays=False),
    "without the occluders": Steps(occluders=False),
    "without denoising": Steps(noise=False),
    "without the colours": Steps(colours=False),
    "without the span": Steps(span=False),
}


@dataclasses.dataclass(frozen=True)
class _Result:
    """What a way of cleaning makes of a film; None is not known to it, or was given.

    Attributes:
      frames_KHWC: The canvas from the front.
      kept_K: Indices of the frames in the film.
      occluded_KHW: Where something was hidden.
      corners_K42: Corners that were found.
      finds_span: Whether it says where the painting begins and ends.
    """

    frames_KHWC: np.ndarray
    kept_K: np.ndarray
    occluded_KHW: np.ndarray | None = None
    corners_K42: np.ndarray | None = None
    finds_span: bool = False


def main() -> None:
    """Films, cleans and prints a table in markdown."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    found, seconds, frames = photos.packaged(), 0.0, 0
    for number in range(_FILMS.value):
        photo, medium = found[number % len(found)], _MEDIA[number % len(_MEDIA)]
        table.tell(f"{photo.name} in {medium}")
        photo_HWC = pictures.fit(pictures.load(photo.path), _SIDE, _SIDE)
        process = painter.paint(photo_HWC, medium, frames=161, seed=number).frames_THWC
        film = shot(process, Shooting(), seed=number)
        # One step earlier, so that the fade is not taken for one of the camera's changes of light.
        shown = slice(0, len(film.frames_THWC) - film.faded)
        for name, result in _given_corners(film):
            rows.setdefault(name, []).append(_scores(result, film))
        for name, steps in _STEPS.items():
            begin = time.monotonic()
            done = cleaned(film.frames_THWC[shown], steps)
            if name == "cleaned":
                seconds, frames = seconds + time.monotonic() - begin, frames + shown.stop
            result = _Result(
                done.frames_KHWC,
                done.kept_K,
                done.occluded_KHW if steps.occluders else None,
                done.corners_K42,
                steps.span,
            )
            rows.setdefault(name, []).append(_scores(result, film))
    print(f"\n| | {' | '.join(_COLUMNS)} |\n|---|{'--:|' * len(_COLUMNS)}")
    for name, scores in rows.items():
        print(f"| {name} | {' | '.join(_cells(np.mean(scores, 0)))} |")
    print(f"\n{_FILMS.value} films; {frames / seconds:.1f} frames a second are cleaned.")
    for line in machine.describe():
        print(f"- {line}")


def _given_corners(film: Film) -> list[tuple[str, _Result]]:
    """What others make of a film, with the true corners and the true span."""
    span_K = np.arange(film.start, film.end + 1)
    plain_KHWC = canvas.front(
        film.frames_THWC[span_K], film.corners_T42[span_K] + 0.5, _SIDE, _SIDE
    )
    true_KHW = _hidden(film, span_K, _SIDE, _SIDE)
    return [
        ("frames as they are", _Result(plain_KHWC, span_K)),
        (
            f"sliding median of {recipe.WINDOW}",
            _Result(recipe.sliding_median(plain_KHWC), span_K),
        ),
        (
            "published recipe, with true masks",
            _Result(recipe.restored(plain_KHWC, true_KHW), span_K),
        ),
        (
            "filled and denoised as we do, with true masks",
            _Result(denoising.denoised(filling.filled(plain_KHWC, true_KHW)), span_K),
        ),
    ]


def _hidden(film: Film, at_K: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where the canvas is hidden, from the front: bool[K, height, width]."""
    masks_KHWC = film.occluded_THW[at_K][..., None].repeat(3, -1).astype(np.uint8) * 255
    front_KHWC = canvas.front(masks_KHWC, film.corners_T42[at_K] + 0.5, height, width)
    return front_KHWC[..., 0] > 127


def _sampled(frames_KHWC: np.ndarray) -> np.ndarray:
    """Frames at the places of the truth's pixels, without smoothing."""
    height, width = frames_KHWC.shape[1:3]
    scale_33 = np.diag([_SIDE / width, _SIDE / height, 1.0])
    return np.stack(
        [camera.warped(frame, scale_33, _SIDE, _SIDE, sharp=True) for frame in frames_KHWC]
    )


def _scores(result: _Result, film: Film) -> tuple[float, ...]:
    """The figures of a row, in the order of `_COLUMNS`; nan is not known."""
    span_S = np.arange(film.start, film.end + 1)
    nearest_S = np.abs(span_S[:, None] - result.kept_K).argmin(1)
    true_SHWC = film.clean_THWC[span_S].astype(np.float32)
    seen_SHWC = _even(_sampled(result.frames_KHWC)[nearest_S], true_SHWC)
    film_SHWC = canvas.front(film.frames_THWC[span_S], film.corners_T42[span_S] + 0.5, _SIDE, _SIDE)
    hidden_SHW = _hidden(film, span_S, _SIDE, _SIDE)
    apart_SHW = np.abs(seen_SHWC - true_SHWC).max(-1)
    from_film_SHW = np.abs(seen_SHWC - _even(film_SHWC, true_SHWC)).max(-1)
    ghosts_SHW = (apart_SHW > 8) & (from_film_SHW < apart_SHW)
    ssim = np.mean(
        [
            metrics.structural_similarity(seen, true, channel_axis=-1, data_range=255)
            for seen, true in zip(seen_SHWC[::8], true_SHWC[::8], strict=True)
        ]
    )
    mask = corners = span = progress = np.nan
    if result.corners_K42 is not None:
        corners_K42 = film.corners_T42[result.kept_K] + 0.5
        off = np.linalg.norm(result.corners_K42 - corners_K42, axis=-1).max()
        corners = float(off) / film.frames_THWC.shape[2]
        if result.occluded_KHW is not None:
            true_KHW = _hidden(film, result.kept_K, *result.occluded_KHW.shape[1:])
            both = (true_KHW & result.occluded_KHW).sum()
            mask = float(both / (true_KHW | result.occluded_KHW).sum())
    if result.finds_span:
        ends = abs(result.kept_K[0] - film.start), abs(result.kept_K[-1] - film.end)
        span = max(ends) / len(film.frames_THWC)
        measured_K = np.linspace(0, 1, len(result.kept_K))
        progress = float(np.abs(measured_K - film.progress_T[result.kept_K]).mean())
    return (
        float(10 * np.log10(255**2 / np.mean((seen_SHWC - true_SHWC) ** 2))),
        float(ssim),
        float((apart_SHW[hidden_SHW] <= 8).mean()),
        float(ghosts_SHW[hidden_SHW].mean()),
        _lateness(seen_SHWC, true_SHWC),
        mask,
        corners,
        span,
        progress,
    )


def _even(seen_SHWC: np.ndarray, true_SHWC: np.ndarray) -> np.ndarray:
    """Frames after the one gain a channel that brings them nearest to the truth."""
    seen_SHWC = seen_SHWC.astype(np.float32)
    return seen_SHWC * np.median((true_SHWC + 8) / (seen_SHWC + 8), (0, 1, 2))


def _lateness(seen_SHWC: np.ndarray, true_SHWC: np.ndarray) -> float:
    """Frames by which the last change of pixels is shown late; early is negative."""
    small_seen, small_true = (
        np.stack([cv2.resize(frame, (48, 48), interpolation=cv2.INTER_AREA) for frame in frames])
        for frames in (seen_SHWC, true_SHWC)
    )
    clear_HW = np.abs(small_true[-1] - small_true[0]).max(-1) > 60
    moments = []
    for frames in (small_seen, small_true):
        from_end_SHW = np.abs(frames - frames[-1]).max(-1)
        far_SHW = from_end_SHW > np.abs(small_true[0] - small_true[-1]).max(-1) / 2
        count = len(frames)
        moments.append(count - np.argmax(far_SHW[::-1], axis=0))
    return float((moments[0] - moments[1])[clear_HW].mean()) if clear_HW.any() else np.nan


def _cells(figures: np.ndarray) -> list[str]:
    forms = ("{:.1f} dB", "{:.3f}", "{:.1%}", "{:.1%}", "{:+.1f}", "{:.2f}", "{:.2%}", "{:.1%}",
             "{:.3f}")  # fmt: skip
    return [
        "" if np.isnan(figure) else form.format(figure)
        for form, figure in zip(forms, figures, strict=True)
    ]


if __name__ == "__main__":
    cli.run(main)
