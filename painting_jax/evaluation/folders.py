"""Evaluates any methods' videos, with or without recorded ones to pair them with."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from painting_jax.data.processes import ProcessFile
from painting_jax.errors import UserError
from painting_jax.evaluation import across, naming, showing, videos
from painting_jax.evaluation.measures import RECORDED, REVERSED, Measured
from painting_jax.evaluation.measuring import Measuring, Picture
from painting_jax.evaluation.methods import Method
from painting_jax.evaluation.order import AUTO
from painting_jax.evaluation.padding import padded, round_up
from painting_jax.evaluation.result import Result, versions
from painting_jax.evaluation.sets import FEWEST, LEAST, Sets
from painting_jax.metrics import pdp
from painting_jax.metrics.pdp import Band

# A smaller share that is cropped away goes without saying.
_NOTICED = 0.1

# Of bands, the one of all media.
_ALL = ""


def evaluate(
    measuring: Measuring,
    *,
    methods: Sequence[Method],
    recorded: str | None,
    unpaired: bool,
    seed: int,
    watch: Callable[[Iterable, str], Iterable],
) -> Result:
    """Measures the videos of some folders, one picture after the other.

    Of a picture's frames nothing stays in memory once it is measured, and what was found is kept
    in the store, so that an interrupted evaluation goes on from it.

    Args:
      measuring: how pictures are read and measured.
      methods: that are judged.
      recorded: a folder of recorded processes, or None.
      unpaired: compare with the recorded set as a whole instead of pairing by name.
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
    generated, unusable = {}, []
    for method in methods:
        generated[method.name], lines = videos.find(method.folder)
        unusable += lines
    recorded_sources, lines = videos.find(recorded) if recorded else ([], [])
    unusable += lines
    if unpaired:
        pictures, alone = _each_alone(generated, recorded_sources), []
    else:
        pictures, alone = _paired(generated, recorded_sources)
    clip = measuring.instruments.backbones.get("clip")
    # Asked for in front: weights may lie there without a tokenizer.
    names = naming.vectors(clip) if clip else {}
    measured, rows, notes, finished, skipped, sets = [], [], [], [], [], Sets()
    for picture, found in measuring.all(watch(pictures, "measuring")):
        skipped += found.skipped
        notes += found.notes
        if found.rows:
            sets.add(found)
            sets.add_textures(found)
            finished += across.finished(found)
            measured.append((picture, found.rows))
            rows += found.rows
    skipped += [*alone, *unusable]
    usable = {row.method for row in rows}
    useless = [method for method in generated if method not in usable]
    for kind, lacking in (
        ("generated", len(useless) == len(generated)),
        ("recorded", bool(recorded) and RECORDED not in usable),
    ):
        if lacking:
            raise UserError(f"none of the {kind} videos can be used: {skipped[0]}")
    generated = {method: found for method, found in generated.items() if method in usable}
    skipped = [*(f"all of {method}" for method in useless), *skipped]
    for picture, found_rows in measured if unpaired else ():
        kept = measuring.kept(picture) if RECORDED in picture.sources else None
        for row in found_rows if kept else ():
            sets.mark_textures(row, kept)
    as_sets = sets.compare()
    few = {method: s.n for method, s in as_sets.items() if unpaired and s.n < FEWEST}
    bands = _bands(rows) if unpaired and recorded else {}
    band = bands.pop(_ALL, None)
    chosen = showing.choose([rows for _, rows in measured], tuple(generated))
    return Result(
        title="Painting processes, measured",
        subtitle=_subtitle(rows, tuple(generated), band, unpaired),
        labels=measuring.instruments.labels,
        stand_ins=measuring.instruments.stand_ins,
        rows=rows,
        strips=[
            dataclasses.replace(kept.strip, why=why)
            for index, why in chosen
            if (kept := measuring.kept(measured[index][0]))
        ],
        settings={
            "generated": {method.name: str(method.folder) for method in methods},
            "recorded": str(recorded or ""),
            "unpaired": unpaired,
            "order": measuring.order,
            "frames": measuring.frames,
            "size": measuring.size,
            "seed": seed,
            "versions": versions(),
        },
        judged=tuple(generated),
        band=band,
        bands=bands,
        across=across.across(finished, names=names, seed=seed),
        sets={method: found for method, found in as_sets.items() if method not in few},
        skipped=skipped,
        notes=[
            *_turned(rows, tuple(generated), found_out=measuring.order == AUTO),
            *_cropped(rows, tuple(generated)),
            *_held_against(band, bands),
            *_too_few(few),
            *notes,
        ],
    )


def _subtitle(
    rows: Sequence[Measured], judged: Sequence[str], band: Band | None, unpaired: bool
) -> str:
    count = sum(row.method in judged for row in rows)
    processes = f"{count} generated process{'es' if count != 1 else ''}"
    if len(judged) > 1:
        processes += f" by {len(judged)} methods"
    if not unpaired:
        return f"{processes}, each compared with the recorded process of the same name."
    if band is None:
        return f"{processes}, each compared with its own last frame."
    return (
        f"{processes}, each compared with its own last frame, and their pace with that of "
        f"{band.n} recorded process{'es' if band.n != 1 else ''} of other pictures."
    )


def _turned(rows: Sequence[Measured], judged: Sequence[str], *, found_out: bool) -> list[str]:
    """Of every method, how many videos ran backwards; of none only where that was found out."""
    notes = []
    for method in judged:
        orders = [row.order for row in rows if row.method == method]
        if REVERSED in orders:
            notes.append(
                f"{orders.count(REVERSED)} of {len(orders)} {method} videos ran from finished to "
                "blank and were turned round; --order=painted takes all as they are."
            )
        elif found_out:
            notes.append(
                f"All {method} videos run from blank to finished, as was found out or is stated "
                f"with their progress (n {len(orders)})."
            )
    return notes


def _cropped(rows: Sequence[Measured], judged: Sequence[str]) -> list[str]:
    """Of every method whose pictures had another shape than they are compared at, how many."""
    notes = []
    for method in judged:
        cuts = [row.cut for row in rows if row.method == method]
        lost = [cut for cut in cuts if cut > _NOTICED]
        if lost:
            notes.append(
                f"{len(lost)} of {len(cuts)} {method} videos were brought to another shape to be "
                f"compared: up to {100 * max(lost):.0f} % of their picture was cropped away."
            )
    return notes


def _each_alone(
    generated: Mapping[str, list[ProcessFile]], recorded: Sequence[ProcessFile]
) -> list[Picture]:
    # The recorded set first: it is what the textures of the others are held against.
    every = [(RECORDED, recorded), *generated.items()]
    return [Picture({method: source}) for method, sources in every for source in sources]


def _paired(
    generated: Mapping[str, list[ProcessFile]], recorded: Sequence[ProcessFile]
) -> tuple[list[Picture], list[str]]:
    """The pictures that both sides have, and a line for each video without a partner."""
    by_name = {
        method: {source.name: source for source in sources} for method, sources in generated.items()
    }
    names = {source.name for source in recorded}
    for method, sources in generated.items():
        if not names & set(by_name[method]):
            raise UserError(
                f"no names pair: {method} are {_names(sources)}, recorded are "
                f"{_names(recorded)}; name them alike, or compare with --unpaired"
            )
    pictures, skipped = [], []
    for source in recorded:
        of_methods = {m: found[source.name] for m, found in by_name.items() if source.name in found}
        lacking = [method for method in by_name if method not in of_methods]
        if of_methods:
            pictures.append(Picture(of_methods, source))
        if lacking:
            skipped.append(f"{source.path} has no partner of the same name in {', '.join(lacking)}")
    skipped += [
        f"{source.path} has no partner of the same name"
        for sources in generated.values()
        for source in sources
        if source.name not in names
    ]
    return pictures, skipped


def _bands(rows: Sequence[Measured]) -> dict[str, Band]:
    """The band of the recorded set and, by medium, of its parts; `_ALL` is the whole.

    How each of the others keeps to the band of its medium, or where that has none to the whole
    set's, is added to its numbers; and of each recorded process, how it keeps to the band of the
    rest, which is the mark that the others are to reach.
    """
    recorded = {_ALL: [row for row in rows if row.method == RECORDED]}
    count = collections.Counter(row.medium for row in recorded[_ALL])
    for medium in sorted(count):
        if medium and count[medium] >= LEAST:
            recorded[medium] = [row for row in recorded[_ALL] if row.medium == medium]
    bands = {medium: _band(others) for medium, others in recorded.items()}
    for row in rows:
        medium = row.medium if row.medium in bands else _ALL
        band = bands[medium]
        if row.method == RECORDED:
            if band.n < LEAST:
                continue
            band = _band(recorded[medium], without=row)
        own_1K = row.own_profile_K[None]
        row.numbers["to_band"] = float(pdp.to_band(own_1K, band)[0])
        row.numbers["in_band"] = float(pdp.inside(own_1K, band)[0])
    return bands


def _band(recorded: Sequence[Measured], *, without: Measured | None = None) -> Band:
    size = round_up(len(recorded))
    profiles_NK = padded(np.stack([row.own_profile_K for row in recorded]), size)
    counts_N = np.array([row is not without for row in recorded])
    band = pdp.band(profiles_NK, padded(counts_N, size))
    return Band(*map(np.asarray, band[:3]), int(band.n))


def _held_against(band: Band | None, bands: Mapping[str, Band]) -> list[str]:
    """Which band the videos are held against."""
    if band is None:
        return []
    if not bands:
        return [
            f"All videos are held against one band, of {band.n} recorded processes: no medium is "
            f"stated for {LEAST} of them or more (in process.json, or in cat.json beside cat.mp4)."
        ]
    of_media = ", ".join(f"{medium.replace('_', ' ')} (n {b.n})" for medium, b in bands.items())
    return [
        f"Videos are held against the band of their medium where it has one: {of_media}; all "
        f"others against that of the whole recorded set (n {band.n})."
    ]


def _too_few(few: Mapping[str, int]) -> list[str]:
    """Which methods are not compared as sets, for want of pictures: their numbers by method."""
    return [
        f"Of {method} no FID and KID to the recorded set is taken: they show other pictures, and "
        f"{count} on the side that has fewer say nothing; {FEWEST} are asked for."
        for method, count in few.items()
    ]


def _names(sources: Sequence[ProcessFile]) -> str:
    more = ", ..." if len(sources) > 3 else ""
    return ", ".join(source.name for source in sources[:3]) + more
