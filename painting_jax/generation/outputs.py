"""What `generate` leaves for a picture: video, animation, contact sheet, steps, parameters."""

import json
import os
import pathlib

import numpy as np

from painting_jax.data import pictures, video
from painting_jax.data.contact_sheet import contact_sheet
from painting_jax.data.result_files import ANIMATION, MOVIE, RECORD, SHEET, STEPS
from painting_jax.files import folder_written_beside

_LEAST_SIDE = 384  # pixels of the longer side that a player shows well
_SECONDS = 6.0  # that a process lasts, by default


def write(
    folder: str | os.PathLike,
    frames_THWC: np.ndarray,
    *,
    title: str,
    model: str,
    parameters: dict,
    fps: float | None = None,
) -> pathlib.Path:
    """Writes a painted process as a folder that appears whole or not at all.

    process.mp4, process.webp and contact_sheet.png are enlarged if they are small; steps/NN.png
    have the model's own pixels. All say in their metadata that they are generated, and by what.

    Args:
      folder: of this process; an older one is replaced.
      frames_THWC: uint8, from blank canvas to finished.
      title: of the video and of the contact sheet.
      model: that painted it.
      parameters: everything it was painted with, in plain types, for process.json: the file name
        of the picture as "picture" and the weights of the media as "medium", among others.
      fps: frames a second; by default the process lasts six seconds.

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
