"""Output files of `generate` for a picture: video, animation, contact sheet, steps, parameters."""

import json
import os
import pathlib

import numpy as np

from painting_jax.data import pictures, video
from painting_jax.data.contact_sheet import contact_sheet
from painting_jax.data.result_files import ANIMATION, MOVIE, RECORD, SHEET, STEPS
from painting_jax.files import folder_written_beside

_LEAST_SIDE = 384  # minimum length of the longer side in pixels, for video players
_SECONDS = 6.0  # default duration of a process


def write(
    folder: str | os.PathLike,
    frames_THWC: np.ndarray,
    *,
    title: str,
    model: str,
    parameters: dict,
    fps: float | None = None,
) -> pathlib.Path:
    """Writes a painted process as a folder that appears complete or not at all.

    process.mp4, process.webp and contact_sheet.png are enlarged if they are small; steps/NN.png
    keep the model's resolution. The metadata of each file states that it is generated, and by which
    model.

    Args:
      folder: Folder of this process; an older one is replaced.
      frames_THWC: Frames, uint8, from the blank canvas to the finished picture.
      title: Title of the video and of the contact sheet.
      model: Name of the model that painted it.
      parameters: All settings that it was painted with, in plain types, for process.json; the file
        name of the picture as "picture" and the weights of the media as "medium", among others.
      fps: Frames per second; None makes the process last six seconds.

    Returns:
      The folder.
    """
    folder = pathlib.Path(folder)
    count = len(frames_THWC)
    fps = fps or count / _SECONDS
    told = {
        "title": title,
        "description": f"Generated painting process, not a recording. Model: {model}.",
        "comment": json.dumps({"generated": True, "model": model, **parameters}),
    }
    packet = video.provenance(told)
    shown_THWC = video.enlarged(frames_THWC, _LEAST_SIDE)
    with folder_written_beside(folder) as unfinished:
        video.write_mp4(unfinished / MOVIE, shown_THWC, fps, told)
        video.write_webp(unfinished / ANIMATION, shown_THWC, fps, told)
        sheet_HWC = contact_sheet(frames_THWC, title=title)
        (unfinished / SHEET).write_bytes(pictures.encode(sheet_HWC, "png", packet))
        (unfinished / STEPS).mkdir()
        digits = max(2, len(str(count - 1)))
        for index, frame_HWC in enumerate(frames_THWC):
            step = unfinished / STEPS / f"{index:0{digits}}.png"
            step.write_bytes(pictures.encode(frame_HWC, "png", packet))
        record = {
            "generated": True,
            "model": model,
            "title": title,
            "progress": np.linspace(0, 1, count).round(6).tolist(),
            "fps": fps,
            **parameters,
        }
        (unfinished / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    return folder
