"""Evaluates any method's videos, with or without recorded ones to pair them with."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from painting_jax.errors import UserError
from painting_jax.evaluation import videos, yardsticks
from painting_jax.evaluation.compare import Comparison, compare
from painting_jax.evaluation.measures import GENERATED, RECORDED, Measured
from painting_jax.evaluation.result import Result, Strip, strip, versions
from painting_jax.evaluation.videos import Source, Video
from painting_jax.metrics import pdp
from painting_jax.metrics.pdp import Band
from painting_jax.metrics.perceptual import PerceptualDistance

# So many processes are shown; all are measured.
_SHOWN = 12


@dataclasses.dataclass
class _Reader:
    """Loads processes and remembers the ones that could not be used."""

    frames: int
    size: int
    skipped: list[str] = dataclasses.field(default_factory=list)

    def load(self, source: Source) -> Video | None:
        try:
            return videos.load(source, frames=self.frames, size=self.size)
        except UserError as error:
            self.skipped.append(str(error))
            return None


def evaluate(
    distance: PerceptualDistance,
    *,
    generated: str,
    recorded: str | None,
    unpaired: bool,
    with_yardsticks: bool,
    frames: int,
    size: int,
    seed: int,
    watch: Callable[[Iterable, str], Iterable],
) -> Result:
    """Measures the videos of a folder.

    Args:
      distance: the perceptual distance.
      generated: the folder of the videos to be judged.
      recorded: a folder of recorded processes, or None.
      unpaired: compare with the recorded set as a whole instead of pairing by name.
      with_yardsticks: measure the cross-fade and the blur-to-sharp of every pair, too.
      frames: at most so many of each video.
      size: longer sides are scaled down to this.
      seed: of the bootstrap.
      watch: wraps an iterable, with what is done, to show progress.

    Raises:
      UserError: if a folder is missing or empty, nothing in it can be used, or no names pair.
    """
    if recorded is None and not unpaired:
        raise UserError(
            "--generated needs --recorded=DIR to compare with; for numbers of the videos alone "
            "add --unpaired"
        )
    reader = _Reader(frames, size)
    sources = videos.find(generated)
    recorded_sources = videos.find(recorded) if recorded else []
    if unpaired:
        rows, strips, band = _unpaired(distance, reader, sources, recorded_sources, watch)
    else:
        rows, strips = _paired(
            distance,
            reader,
            sources,
            recorded_sources,
            with_yardsticks=with_yardsticks,
            watch=watch,
        )
        band = None
    count = sum(row.method == GENERATED for row in rows)
    return Result(
        title="Painting processes, measured",
        subtitle=_subtitle(count, rows, band, unpaired),
        distance=distance.label,
        rows=rows,
        strips=strips,
        settings={
            "generated": str(generated),
            "recorded": str(recorded or ""),
            "unpaired": unpaired,
            "frames": frames,
            "size": size,
            "seed": seed,
            "versions": versions(),
        },
        band=band,
        skipped=reader.skipped,
    )


def _subtitle(count: int, rows: list[Measured], band: Band | None, unpaired: bool) -> str:
    processes = f"{count} generated process{'es' if count != 1 else ''}"
    if not unpaired:
        return f"{processes}, each compared with the recorded process of the same name."
    if band is None:
        return f"{processes}, each compared with its own last frame."
    return (
        f"{processes}, each compared with its own last frame, and their pace with that of "
        f"{band.n} recorded process{'es' if band.n != 1 else ''} of other pictures."
    )


def _unpaired(
    distance: PerceptualDistance,
    reader: _Reader,
    sources: list[Source],
    recorded_sources: list[Source],
    watch: Callable,
) -> tuple[list[Measured], list[Strip], Band | None]:
    def measure(sources: list[Source], method: str) -> tuple[list[Measured], list[Strip]]:
        rows, strips = [], []
        for source in watch(sources, f"measuring {method} videos"):
            video = reader.load(source)
            if video is None:
                continue
            shape_HW = videos.common_shape(*video.frames_THWC.shape[1:3], reader.size)
            fitted = dataclasses.replace(video, frames_THWC=videos.fit(video.frames_THWC, shape_HW))
            rows += compare(distance, Comparison({method: fitted}))
            if len(strips) < _SHOWN:
                strips.append(strip({method: video}))
        if not rows:
            raise UserError(f"none of the {method} videos can be used: {reader.skipped[0]}")
        return rows, strips

    generated, strips = measure(sources, GENERATED)
    if not recorded_sources:
        return generated, strips, None
    recorded, recorded_strips = measure(recorded_sources, RECORDED)
    profile_NK = np.stack([row.own_profile_K for row in recorded])
    band = pdp.band(profile_NK, np.ones(len(recorded), bool))
    profile_BK = np.stack([row.own_profile_K for row in generated])
    columns = {"to_band": pdp.to_band(profile_BK, band), "in_band": pdp.inside(profile_BK, band)}
    for key, column_B in columns.items():
        for row, value in zip(generated, np.asarray(column_B), strict=True):
            row.numbers[key] = float(value)
    band = Band(*map(np.asarray, band[:3]), int(band.n))
    return generated + recorded, strips + recorded_strips, band


def _paired(
    distance: PerceptualDistance,
    reader: _Reader,
    sources: list[Source],
    recorded_sources: list[Source],
    *,
    with_yardsticks: bool,
    watch: Callable,
) -> tuple[list[Measured], list[Strip]]:
    by_name = {source.name: source for source in recorded_sources}
    pairs = [(source, by_name[source.name]) for source in sources if source.name in by_name]
    if not pairs:
        raise UserError(
            f"no names pair: generated are {_names(sources)}, recorded are "
            f"{_names(recorded_sources)}; name them alike, or compare with --unpaired"
        )
    paired = {source.name for source, _ in pairs}
    reader.skipped += [
        f"{source.path} has no partner of the same name"
        for source in sources + recorded_sources
        if source.name not in paired
    ]
    rows, strips = [], []
    for source, recorded_source in watch(pairs, "measuring pairs"):
        video, recorded = reader.load(source), reader.load(recorded_source)
        if video is None or recorded is None:
            continue
        together = {GENERATED: video, RECORDED: recorded}
        sides = [v.frames_THWC.shape[1:3] for v in together.values()]
        shape_HW = videos.common_shape(*sides[1], min(max(side) for side in sides))
        fitted = {
            method: dataclasses.replace(v, frames_THWC=videos.fit(v.frames_THWC, shape_HW))
            for method, v in together.items()
        }
        recorded = fitted.pop(RECORDED)
        if with_yardsticks:
            fitted |= yardsticks.from_picture([recorded])[0]
        rows += compare(distance, Comparison(fitted, recorded))
        if len(strips) < _SHOWN:
            strips.append(strip({RECORDED: recorded, **fitted}, input_HWC=video.input_HWC))
    if not rows:
        raise UserError(f"none of the pairs can be used: {reader.skipped[0]}")
    return rows, strips


def _names(sources: list[Source]) -> str:
    more = ", ..." if len(sources) > 3 else ""
    return ", ".join(source.name for source in sources[:3]) + more
