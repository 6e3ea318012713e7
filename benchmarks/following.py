"""Measures whether the packaged weights follow what is asked: a given canvas, an order of regions.

  python -m benchmarks.following
  python -m benchmarks.following --workdir=RUN

The stroke painter paints photos that were not trained on, from installed packages. Its processes
are cut, and go on from there with the weights: their frames are compared with the painter's own
rest, and with those of a process that the weights paint from a blank canvas. Then the regions of
each photo are asked for in random orders, of the weights and of the stroke painter: its oil begins
with an underpainting of everything, in which some regions are half painted.
"""

import numpy as np
from absl import flags
from scipy import stats

from benchmarks import machine, packaged, table
from painting_jax import cli
from painting_jax.data import painter, pictures
from painting_jax.data import photos as photos_lib
from painting_jax.data.segmentation import segment
from painting_jax.evaluation.networks import Networks
from painting_jax.generation.run import Run
from painting_jax.metrics import bootstrap, perceptual, regions

_WORKDIR = flags.DEFINE_string("workdir", None, "Run to measure [default: the packaged weights].")

_SIDE = 256
_MEASURED = 128  # side of the frames whose distance is measured, in pixels
_FRAMES = 17
_MEDIA = ("oil", "watercolor", "acrylic", "pastel")
_CUTS = (0.3, 0.5, 0.7)
_LONG = 33  # frames of a process whose order is measured
_ORDERS = 2  # random orders of each photo's regions
_LEAST_AREA = 0.03  # share of the picture that a region covers, to be ranked
_HALF = 0.5  # of a region's change, at which it counts as painted


def main() -> None:
    """Measures both, and prints them in markdown."""
    run = packaged.load(_WORKDIR.value)
    photos = [
        pictures.fit(pictures.load(photo.path), _SIDE, _SIDE) for photo in photos_lib.packaged()
    ]
    photos = [photo_HWC for photo_HWC in photos if len(np.unique(segment(photo_HWC))) > 2]
    _continue(run, photos)
    _reorder(run, photos)
    for line in machine.describe():
        print(f"- {line}")


def _continue(run: Run, photos: list[np.ndarray]) -> None:
    distance = Networks.open().distance
    nearer = {cut: [] for cut in _CUTS}
    for number, photo_HWC in enumerate(photos):
        medium = _MEDIA[number % len(_MEDIA)]
        table.tell(f"going on, {number + 1} of {len(photos)}")
        progress_T = np.linspace(0, 1, _FRAMES)
        recorded_THWC = painter.paint(photo_HWC, medium, frames=_FRAMES, seed=number).frames_THWC
        # The weights are given the finished painting, as in training.
        fresh_THWC = _painted(run, recorded_THWC[-1], medium)
        for cut in _CUTS:
            first = round(cut * (_FRAMES - 1))
            part = (float(progress_T[first]), 1.0)
            more_THWC = _painted(
                run,
                recorded_THWC[-1],
                medium,
                part=part,
                frames=_FRAMES - first,
                canvas_HWC=recorded_THWC[first],
            )
            rest = slice(first + 1, -1)
            to_rest = [
                _distance(distance, frames_THWC, recorded_THWC[rest])
                for frames_THWC in (fresh_THWC[rest], more_THWC[1:-1])
            ]
            nearer[cut].append(to_rest)
    print("| cut at | fresh, LPIPS to the rest | gone on | nearer by [95 %] |\n|---|--:|--:|--:|")
    for cut, pairs in nearer.items():
        fresh_N, more_N = np.array(pairs).T
        nearer_by = bootstrap.interval(fresh_N - more_N)
        print(
            f"| {cut:.0%} | {fresh_N.mean():.3f} | {more_N.mean():.3f} | {nearer_by.mean:.3f} "
            f"[{nearer_by.low:.3f}, {nearer_by.high:.3f}] |"
        )
    print(f"\n{len(photos)} photos, each in one of {', '.join(_MEDIA)}; LPIPS is the proxy here\n")


def _reorder(run: Run, photos: list[np.ndarray]) -> None:
    """Random orders of regions, asked of the weights and of the stroke painter."""
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[float, float]]] = {medium: [] for medium in _MEDIA}
    for number, photo_HWC in enumerate(photos):
        table.tell(f"orders, {number + 1} of {len(photos)}")
        labels_HW = segment(photo_HWC)
        there, counts = np.unique(labels_HW, return_counts=True)
        ranked = there[(there > 0) & (counts >= _LEAST_AREA * labels_HW.size)]
        if len(ranked) < 3:
            continue
        for _ in range(_ORDERS):
            order = rng.permutation(there[there > 0])
            place = np.zeros(there.max() + 1, np.uint8)
            place[order] = 1 + np.arange(len(order))
            for medium, pairs in found.items():
                by_painter = painter.paint(
                    photo_HWC, medium, frames=_LONG, seed=number, segments_HW=place[labels_HW]
                )
                asked = {"order": tuple(order.tolist()), "frames": _LONG}
                by_weights_THWC = _painted(run, photo_HWC, medium, **asked)
                correlations = [
                    stats.spearmanr(
                        place[ranked], _half_painted_at(frames_THWC, labels_HW)[ranked - 1]
                    ).statistic
                    for frames_THWC in (by_weights_THWC, by_painter.frames_THWC)
                ]
                pairs.append((correlations[0], correlations[1]))
    print("| medium | weights | least | stroke painter | least |\n|---|--:|--:|--:|--:|")
    every = [pair for pairs in found.values() for pair in pairs]
    for medium, pairs in [*found.items(), ("all", every)]:
        weights_N, painter_N = np.array(pairs).T
        print(
            f"| {medium} | {weights_N.mean():.2f} | {weights_N.min():.2f} "
            f"| {painter_N.mean():.2f} | {painter_N.min():.2f} |"
        )
    print(
        f"\nRank correlation of the asked and the painted order of regions that cover at least "
        f"{_LEAST_AREA:.0%}, mean over {len(found[_MEDIA[0]])} random orders\n"
    )


def _painted(run: Run, picture_HWC: np.ndarray, medium: str, **settings) -> np.ndarray:
    """Frames of a process, uint8[T, H, W, 3]."""
    settings = {"frames": _FRAMES, "size": _SIDE} | settings
    [painted] = packaged.paint(run, picture_HWC, [medium], **settings)
    return painted.frames_THWC


def _distance(distance, a_THWC: np.ndarray, b_THWC: np.ndarray) -> float:
    features_a, features_b = (
        distance.embed(np.stack([pictures.resize(frame, _MEASURED, _MEASURED) for frame in x]))
        for x in (a_THWC, b_THWC)
    )
    return float(np.mean(np.asarray(perceptual.squared_distance(features_a, features_b))))


def _half_painted_at(frames_THWC: np.ndarray, labels_HW: np.ndarray) -> np.ndarray:
    """Progress at which each region has half of its colours: float[R]."""
    map_BTHW = regions.colour_map(frames_THWC[None], frames_THWC[None, -1])
    far_BRT, _ = regions.by_region(map_BTHW, labels_HW[None], regions=int(labels_HW.max()))
    progress_BT = np.linspace(0, 1, len(frames_THWC), dtype=np.float32)[None]
    mask_BT = np.ones(progress_BT.shape, bool)
    return np.asarray(regions.finished_at(far_BRT, progress_BT, mask_BT, share=_HALF))[0]


if __name__ == "__main__":
    cli.run(main)
