"""Videos in the layout in which Loomis Painter's authors evaluate, as their scripts write them."""

import pathlib
import pickle

import numpy as np

from painting_jax.data import pictures


def write(
    folder: pathlib.Path, frames_THWC: np.ndarray, *, reference=True, progress=None, form="jpeg"
) -> pathlib.Path:
    """Writes a video to its folder; a generated one has no reference.

    Returns:
      The file of the frames.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = [pictures.encode(frame_HWC, form) for frame_HWC in frames_THWC]
    if progress is None:
        progress = [i / (len(frames) - 1) for i in range(len(frames))]
    for name, value in (("frame_data", frames), ("frame_progress", progress)):
        with (folder / f"{name}.pkl").open("wb") as file:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
    if reference:
        (folder / "reference_frame.png").write_bytes(pictures.encode(frames_THWC[-1], "png"))
    return folder / "frame_data.pkl"
