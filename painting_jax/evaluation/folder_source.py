"""Folders of videos as a source of processes: any methods' videos, and recorded ones."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from painting_jax.data import file_kinds, remarks, timelapse
from painting_jax.data.processes import ProcessFile
from painting_jax.data.segmentation import segment
from painting_jax.errors import UserError
from painting_jax.evaluation import baselines, loomis_protocol, videos
from painting_jax.evaluation.cache import Cache, Outcome, file_state
from painting_jax.evaluation.comparison import Group
from painting_jax.evaluation.measurement import Watch
from painting_jax.evaluation.measures import (
    PAINTED,
    RECORDED,
    REVERSED,
)
from painting_jax.evaluation.methods import Method
from painting_jax.evaluation.networks import Networks
from painting_jax.evaluation.result import Result
from painting_jax.evaluation.sets import ALL_MEDIA, MIN_PICTURES, MIN_PROCESSES, measure_bands
from painting_jax.evaluation.videos import Video
from painting_jax.metrics.pdp import Band

AUTO = "auto"
ORDERS = (AUTO, PAINTED, REVERSED)

# A video that is compared with a recorded one runs in the direction in which its ends fit the
# recorded ones better, if their distance is smaller by this factor.
_CLEARLY = 0.5

# Smaller shares that are cropped away are not reported.
_NOTICED = 0.1


@dataclasses.dataclass(frozen=True)
class Files:
    """The files of the processes of one picture, which are measured together.

    Attributes:
      methods: Files of the methods' processes.
      recorded: File of the process that they are compared with, if there is one.
    """

    methods: Mapping[str, ProcessFile]
    recorded: ProcessFile | None = None

    @property
    def all(self) -> dict[str, ProcessFile]:
        """All files by method, the recorded one last."""
        return {**self.methods, **({RECORDED: self.recorded} if self.recorded else {})}


class FolderSource:
    """Videos in folders, a `measurement.ProcessSource`."""

    title = "Painting processes, measured"
    doing = "measuring"

    def __init__(
        self,
        methods: Sequence[Method],
        recorded: str | None = None,
        *,
        unpaired: bool = False,
        frames: int,
        size: int,
        with_baselines: bool = False,
        order: str = AUTO,
        edits: str = timelapse.KEEP,
        protocol: str | None = None,
    ):
        """Finds the processes.

        Args:
          methods: Evaluated methods.
          recorded: Folder of recorded processes, or None.
          unpaired: Compare with the recorded set as a whole instead of pairing by name.
          frames: Number of frames of a video that are measured, at most.
          size: Longer sides are scaled down to this.
          with_baselines: Measure the cross-fade and the blur-to-sharp beside each pair.
          order: Order of generated frames without stated progress, one of `ORDERS`.
          edits: What is done about openings, fades and recordings that run backwards, one of
            `timelapse.CHOICES`.
          protocol: `loomis_protocol.NAME`, or None to pair all that is there.

        Raises:
          UserError: If a folder is missing or empty, or no names pair.
        """
        if recorded is None and not unpaired:
            raise UserError(
                "--generated needs --recorded=DIR to compare with; for numbers of the videos alone "
                "add --unpaired"
            )
        generated, self._unusable = {}, []
        for method in methods:
            generated[method.name], lines = videos.find(method.folder)
            self._unusable += lines
        recorded_files, lines = videos.find(recorded) if recorded else ([], [])
        self._unusable += lines
        if protocol:
            generated = {name: loomis_protocol.named(files) for name, files in generated.items()}
            recorded_files, lines = loomis_protocol.recorded(recorded_files)
            self._unusable += lines
        if unpaired:
            # Recorded processes first: the textures of the others are compared with theirs.
            every = [(RECORDED, recorded_files), *generated.items()]
            groups = [Files({name: file}) for name, files in every for file in files]
            self._unmatched = []
        else:
            groups, self._unmatched = _pair(generated, recorded_files)
        self.methods: Sequence[str] = tuple(generated)
        self.batches: Sequence[Sequence[Any]] = [[files] for files in groups]
        self._has_recorded = recorded is not None
        self._unpaired, self._order, self._edits = unpaired, order, edits
        self._frames, self._size, self._with_baselines = frames, size, with_baselines
        self._protocol = protocol
        # Settings that the numbers of one group depend on.
        self.depends_on: Mapping[str, object] = {
            "frames": frames,
            "size": size,
            "baselines": with_baselines,
            "unpaired": unpaired,
            "order": order,
            "edits": edits,
            "protocol": protocol,
        }
        self.settings: Mapping[str, object] = {
            "generated": {method.name: str(method.folder) for method in methods},
            "recorded": str(recorded or ""),
            "unpaired": unpaired,
            "order": order,
            "edits": edits,
            "frames": frames,
            "size": size,
            "protocol": protocol or "",
        }

    def key(self, files: Files) -> list:
        """Names and states of the files."""
        key: list = [
            [method, file_state(file.path), dataclasses.astuple(dataclasses.replace(file, path=""))]
            for method, file in files.all.items()
        ]
        if self._protocol and files.recorded:
            key.append(file_state(loomis_protocol.reference_path(files.recorded)))
        return key

    def is_complete(self, files: Files, outcome: Outcome) -> bool:
        """Whether everything could be read; otherwise the file may have been repaired since."""
        return not outcome.skipped

    def read(self, batch: Sequence[Files]) -> tuple[dict[str, Video], list[str], list[str]]:
        """Reads the processes of a picture.

        Returns:
          The processes, a line for each that is unreadable, and remarks on the others.
        """
        (files,) = batch
        read, skipped = {}, []
        with remarks.collected() as notes:
            for method, file in files.all.items():
                edits = self._edits
                if edits == timelapse.TURN and method != RECORDED:
                    edits = timelapse.CUT  # their order is a choice of its own
                try:
                    read[method] = videos.load(
                        file, frames=self._frames, size=self._size, edits=edits
                    )
                except UserError as error:
                    skipped.append(str(error))
            if self._protocol and RECORDED in read:
                try:
                    read = loomis_protocol.unpadded(read, files.recorded)
                except UserError as error:
                    del read[RECORDED]
                    skipped.append(str(error))
        return read, skipped, notes

    def groups(
        self, batch: Sequence[Files], data: tuple[dict[str, Video], list[str], list[str]]
    ) -> Iterator[Group]:
        """The group of a picture, empty if it cannot be measured."""
        (files,), (read, skipped, notes) = batch, data
        methods = {method: video for method, video in read.items() if method in files.methods}
        if not methods or (files.recorded and RECORDED not in read):
            yield Group({}, skipped=skipped, notes=notes)
            return
        if files.recorded:
            read = _with_shared_facts(read)
        # One size for all, or finer videos are judged by detail that coarser ones cannot show.
        size = min(max(video.frames_THWC.shape[1:3]) for video in read.values())
        first = read[RECORDED] if files.recorded else next(iter(methods.values()))
        height, width = first.frames_THWC.shape[1:3]
        shape_HW = videos.common_shape(height, width, size)
        fitted = {method: _fitted(video, shape_HW) for method, video in read.items()}
        recorded = fitted.pop(RECORDED) if files.recorded else None
        for method, video in fitted.items():
            if method != RECORDED and self._runs(video, recorded) == REVERSED:
                fitted[method] = reverse(video)
                methods[method] = reverse(methods[method])
        notes = [*notes, *_reversal_note(files, recorded or fitted.get(RECORDED))]
        if recorded and self._with_baselines:
            fitted |= baselines.from_picture(recorded)
        yield Group(
            fitted,
            recorded,
            segments_HW=segment(recorded.frames_THWC[-1]) if recorded else None,
            shown=None if recorded else methods,
            skipped=skipped,
            notes=notes,
        )

    def _runs(self, video: Video, recorded: Video | None) -> str:
        if video.stated:
            return PAINTED  # reading has already reversed it if necessary
        return find_order(video, recorded) if self._order == AUTO else self._order

    def complete(self, result: Result, networks: Networks, cache: Cache, watch: Watch) -> Result:
        """Adds the bands of the recorded set, what was skipped, and notes.

        Raises:
          UserError: If no generated or no recorded video can be used.
        """
        skipped = [*result.skipped, *self._unmatched, *self._unusable]
        for kind, missing in (
            ("generated", not result.judged),
            ("recorded", self._has_recorded and all(r.method != RECORDED for r in result.rows)),
        ):
            if missing:
                raise UserError(f"none of the {kind} videos can be used: {skipped[0]}")
        unusable = [method for method in self.methods if method not in result.judged]
        few = {
            method: distances.n
            for method, distances in result.sets.items()
            if self._unpaired and distances.n < MIN_PICTURES
        }
        bands = measure_bands(result.rows) if self._unpaired and self._has_recorded else {}
        band = bands.pop(ALL_MEDIA, None)
        return dataclasses.replace(
            result,
            subtitle=self._subtitle(result, band),
            band=band,
            bands=bands,
            sets={method: each for method, each in result.sets.items() if method not in few},
            skipped=[*(f"all of {method}" for method in unusable), *skipped],
            notes=[
                *([loomis_protocol.NOTE] if self._protocol else []),
                *_order_notes(result, detected=self._order == AUTO),
                *_crop_notes(result),
                *_band_notes(band, bands),
                *_set_notes(few),
                *result.notes,
            ],
        )

    def _subtitle(self, result: Result, band: Band | None) -> str:
        count = sum(row.method in result.judged for row in result.rows)
        processes = f"{count} generated process{'es' if count != 1 else ''}"
        if len(result.judged) > 1:
            processes += f" by {len(result.judged)} methods"
        if not self._unpaired:
            return f"{processes}, each compared with the recorded process of the same name."
        if band is None:
            return f"{processes}, each compared with its own last frame."
        return (
            f"{processes}, each compared with its own last frame, and their pace with that of "
            f"{band.n} recorded process{'es' if band.n != 1 else ''} of other pictures."
        )


def _pair(
    generated: Mapping[str, list[ProcessFile]], recorded: Sequence[ProcessFile]
) -> tuple[list[Files], list[str]]:
    """The pictures that both sides have, and a line for each video without a partner.

    A process is paired with the recorded one of the same name. Without one, it is paired by the
    picture and the medium that it states, as the results of `generate` do.
    """
    partners: dict[str, dict[str, list[ProcessFile]]] = {source.name: {} for source in recorded}
    unmatched = []
    for method, sources in generated.items():
        alone = []
        for source in sources:
            if partner := _partner(source, recorded):
                partners[partner.name].setdefault(method, []).append(source)
            else:
                alone.append(f"{source.path} has no partner of the same name")
        if len(alone) == len(sources):
            raise UserError(
                f"no names pair: {method} are {_names(sources)}, recorded are {_names(recorded)}; "
                "name them alike, state the picture of each in process.json, or compare with "
                "--unpaired"
            )
        unmatched += alone
    groups, lonely = [], []
    for source in recorded:
        by_method = partners[source.name]
        groups += _groups(source, by_method)
        if lacking := ", ".join(method for method in generated if method not in by_method):
            lonely.append(f"{source.path} has no partner of the same name in {lacking}")
    return groups, lonely + unmatched


def _partner(file: ProcessFile, recorded: Sequence[ProcessFile]) -> ProcessFile | None:
    """The recorded process of the same name, else the only one of its picture and medium."""
    for source in recorded:
        if source.name == file.name:
            return source
    same = [source for source in recorded if _picture(source) == _picture(file)]
    alike = [source for source in same if source.medium == file.medium]
    if not alike:
        alike = [source for source in same if not (source.medium and file.medium)]
    return alike[0] if len(alike) == 1 else None


def _picture(file: ProcessFile) -> str:
    """Name of a process's picture without folders and suffix; its own name if it states none."""
    name = pathlib.PurePath(file.picture or file.name).name
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*file_kinds.PICTURES, *file_kinds.VIDEOS) else name


def _groups(
    recorded: ProcessFile, by_method: Mapping[str, Sequence[ProcessFile]]
) -> Iterator[Files]:
    """A recorded process with the processes of the methods, at most one of each.

    If a method painted its picture several times, and the recorded process states no medium, each
    medium has a group of its own.
    """
    rounds: dict[tuple[str, int], dict[str, ProcessFile]] = {}
    several = any(len(files) > 1 for files in by_method.values())
    for method, files in by_method.items():
        count: collections.Counter[str] = collections.Counter()
        for file in files:
            medium = file.medium if several else ""
            rounds.setdefault((medium, count[medium]), {})[method] = file
            count[medium] += 1
    for (medium, index), files_of in rounds.items():
        more = " ".join([*([medium] if medium else []), *([str(index + 1)] if index else [])])
        name = f"{recorded.name} ({more})" if more else recorded.name
        named = {method: dataclasses.replace(file, name=name) for method, file in files_of.items()}
        yield Files(named, dataclasses.replace(recorded, name=name))


def _names(sources: Sequence[ProcessFile]) -> str:
    more = ", ..." if len(sources) > 3 else ""
    return ", ".join(source.name for source in sources[:3]) + more


def _with_shared_facts(read: Mapping[str, Video]) -> dict[str, Video]:
    """Copies medium and picture to the videos of a pair that do not state them."""
    every = [read[RECORDED], *read.values()]
    medium = next((video.medium for video in every if video.medium), "")
    picture = next((video.picture for video in every if video.picture), "")
    return {
        method: dataclasses.replace(video, medium=video.medium or medium, picture=picture)
        for method, video in read.items()
    }


def _fitted(video: Video, shape_HW: tuple[int, int]) -> Video:
    (height, width), (shown_height, shown_width) = video.frames_THWC.shape[1:3], shape_HW
    aspects = height * shown_width, width * shown_height
    frames_THWC = videos.fit(video.frames_THWC, shape_HW)
    return dataclasses.replace(video, frames_THWC=frames_THWC, cut=1 - min(aspects) / max(aspects))


def find_order(video: Video, recorded: Video | None = None) -> str:
    """`PAINTED` or `REVERSED`; `PAINTED` without evidence.

    Args:
      video: The process.
      recorded: A process of the same picture and frame size in painted order; the ends of the two
        are compared first.
    """
    if recorded is not None:
        ends = [x.frames_THWC[[0, -1]].astype(np.float32) for x in (video, recorded)]
        forwards, backwards = (np.abs(ends[0][::s] - ends[1]).mean() for s in (1, -1))
        if backwards < _CLEARLY * forwards:
            return REVERSED
        if forwards < _CLEARLY * backwards:
            return PAINTED
    return REVERSED if timelapse.examine(video.frames_THWC).direction.sign < 0 else PAINTED


def reverse(video: Video) -> Video:
    """A video that runs backwards, in painted order."""
    return dataclasses.replace(
        video,
        frames_THWC=np.ascontiguousarray(video.frames_THWC[::-1]),
        progress_T=1 - video.progress_T[::-1],
        order=REVERSED,
    )


def _reversal_note(files: Files, recorded: Video | None) -> list[str]:
    if recorded is None or recorded.stated or find_order(recorded) == PAINTED:
        return []
    return [
        f"{files.all[RECORDED].path} looks reversed; recorded processes are taken as painted: "
        "--edits=turn turns it round if it runs backwards"
    ]


def _order_notes(result: Result, *, detected: bool) -> list[str]:
    """How many videos of each method ran backwards; if none, only if that was detected."""
    notes = []
    for method in result.judged:
        orders = [process.order for process in result.rows if process.method == method]
        if REVERSED in orders:
            notes.append(
                f"{orders.count(REVERSED)} of {len(orders)} {method} videos ran from finished to "
                "blank and were reversed; --order=painted keeps all as they are."
            )
        elif detected:
            notes.append(
                f"All {method} videos run from blank to finished, as detected or stated with "
                f"their progress (n {len(orders)})."
            )
    return notes


def _crop_notes(result: Result) -> list[str]:
    """How many videos of each method were cropped to the shape at which they are compared."""
    notes = []
    for method in result.judged:
        cuts = [process.cut for process in result.rows if process.method == method]
        lost = [cut for cut in cuts if cut > _NOTICED]
        if lost:
            notes.append(
                f"{len(lost)} of {len(cuts)} {method} videos were brought to another shape to be "
                f"compared: up to {100 * max(lost):.0f} % of their picture was cropped away."
            )
    return notes


def _band_notes(band: Band | None, bands: Mapping[str, Band]) -> list[str]:
    """Which band the videos are compared with."""
    if band is None:
        return []
    if not bands:
        return [
            f"All videos are compared with one band, of {band.n} recorded processes: no medium is "
            f"stated for {MIN_PROCESSES} of them or more (in process.json, or in cat.json beside "
            "cat.mp4)."
        ]
    of_media = ", ".join(f"{medium.replace('_', ' ')} (n {b.n})" for medium, b in bands.items())
    return [
        f"Videos are compared with the band of their medium if it has one: {of_media}; all others "
        f"with that of the whole recorded set (n {band.n})."
    ]


def _set_notes(few: Mapping[str, int]) -> list[str]:
    """Methods without FID and KID, given their numbers of pictures."""
    return [
        f"No FID and KID of {method} to the recorded set: they show different pictures, and "
        f"{count} on the smaller side are too few; at least {MIN_PICTURES} are needed."
        for method, count in few.items()
    ]
