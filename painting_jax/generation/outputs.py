"""Output files of `generate` for a picture: video, animation, contact sheet, steps, parameters."""

import concurrent.futures
import datetime
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from painting_jax.data import label_maps, pictures, video
from painting_jax.data.contact_sheet import contact_sheet
from painting_jax.data.result_files import ANIMATION, MOVIE, RECORD, REGIONS, SEGMENTS, SHEET, STEPS
from painting_jax.files import folder_written_beside
from painting_jax.provenance import mark
from painting_jax.provenance.payload import Origin

_LEAST_SIDE = 384  # minimum length of the longer side in pixels, for video players
_SECONDS = 6.0  # default duration of a process


def write(
    folder: str | os.PathLike,
    frames_THWC: np.ndarray,
    *,
    title: str,
    model: str,
    parameters: dict,
    progress_T: np.ndarray | None = None,
    regions_HWC: np.ndarray | None = None,
    labels_HW: np.ndarray | None = None,
    fps: float | None = None,
    with_mark: bool = True,
    tutorial: Callable[[np.ndarray], Mapping[str, bytes]] | None = None,
    on_file: Callable[[], object] | None = None,
) -> pathlib.Path:
    """Writes a painted process as a folder that appears complete or not at all.

    process.mp4, process.webp and contact_sheet.png are enlarged if they are small; steps/NN.png
    keep the model's resolution. The metadata of each file states that it is generated, when, and by
    which model. Every frame that is large enough carries the same in an invisible mark
    (`painting_jax.provenance`).

    Args:
      folder: Folder of this process; an older one is replaced.
      frames_THWC: Frames, uint8, from the blank canvas to the finished picture.
      title: Title of the video and of the contact sheet.
      model: Name of the model that painted it.
      parameters: All settings that it was painted with, in plain types, for process.json; the file
        name of the picture as "picture" and the weights of the media as "medium", among others.
      progress_T: Progress of each frame; None = even from 0 to 1.
      regions_HWC: Map of the regions, uint8, for regions.png; None = none.
      labels_HW: Map of regions that came with the picture, uint8, for segments.png; None = none.
      fps: Frames per second; None makes the process last six seconds.
      with_mark: Whether frames are marked. The metadata and process.json say so, and what is too
        small for a mark.
      tutorial: Function from the frames, as steps/ shows them, to the files of a tutorial by name,
        see `instruction.tutorial.files`; None = there is none.
      on_file: Called now and then between files, from several threads; what it raises ends the
        writing, which leaves nothing.

    Returns:
      The folder.
    """
    folder, check = pathlib.Path(folder), on_file or (lambda: None)
    count = len(frames_THWC)
    if progress_T is None:
        progress_T = np.linspace(0, 1, count)
    fps = fps or count / _SECONDS
    day = datetime.datetime.now(datetime.UTC).date()
    shown_THWC = video.enlarged(frames_THWC, _LEAST_SIDE)
    steps_THWC = frames_THWC
    stated: dict[str, Any] = {"made_by": "painting_jax", "made_on": day.isoformat(), "mark": False}
    if with_mark:
        origin = Origin.of(day, model, parameters.get("medium", {}))
        is_enlarged = shown_THWC is not frames_THWC
        shown_THWC = _marked(shown_THWC, origin)
        steps_THWC = _marked(steps_THWC, origin) if is_enlarged else shown_THWC
        written = {MOVIE: shown_THWC, STEPS: steps_THWC}
        too_small = [name for name, frames in written.items() if not _has_room(frames)]
        stated["mark"] = {"model": origin.model, "too_small": too_small}
    told = {
        "title": title,
        "description": f"Generated painting process, not a recording. Model: {model}."
        + ("" if with_mark else " Its frames carry no mark."),
        "comment": json.dumps({"generated": True, "model": model, **stated, **parameters}),
    }
    packet = video.provenance(told)
    # The encoders leave Python free: they share the cores.
    with (
        folder_written_beside(folder) as unfinished,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):

        def write_picture(name: str, picture_HWC: np.ndarray, xmp: bytes | None) -> None:
            check()
            (unfinished / name).write_bytes(pictures.encode(picture_HWC, "png", xmp))

        (unfinished / STEPS).mkdir()
        digits = max(2, len(str(count - 1)))
        tasks = [
            pool.submit(video.write_webp, unfinished / ANIMATION, shown_THWC, fps, told),
            pool.submit(video.write_mp4, unfinished / MOVIE, shown_THWC, fps, told),
            *(
                pool.submit(write_picture, f"{STEPS}/{index:0{digits}}.png", frame_HWC, packet)
                for index, frame_HWC in enumerate(steps_THWC)
            ),
        ]
        check()
        for name, content in (tutorial(steps_THWC) if tutorial else {}).items():
            (unfinished / name).write_bytes(content)
        if regions_HWC is not None:
            tasks.append(pool.submit(write_picture, REGIONS, regions_HWC, None))
        if labels_HW is not None:
            segments_HWC = label_maps.picture_of(labels_HW)
            tasks.append(pool.submit(write_picture, SEGMENTS, segments_HWC, None))
        # Of marked frames: a mark over the whole sheet would be seen on its paper.
        write_picture(SHEET, contact_sheet(steps_THWC, progress_T, title=title), packet)
        for task in tasks:
            task.result()
        record = {
            "generated": True,
            "model": model,
            "title": title,
            "progress": np.round(progress_T, 6).tolist(),
            "fps": fps,
            **stated,
            **parameters,
        }
        (unfinished / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        check()
    return folder


def _marked(frames_THWC: np.ndarray, origin: Origin) -> np.ndarray:
    return mark.embed(frames_THWC, origin) if _has_room(frames_THWC) else frames_THWC


def _has_room(frames_THWC: np.ndarray) -> bool:
    return mark.is_large_enough(*frames_THWC.shape[1:3])
