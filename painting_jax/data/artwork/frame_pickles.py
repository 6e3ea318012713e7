"""Reads `frame_data.pkl`, the form in which Loomis Painter's authors evaluate videos.

It holds a list of encoded pictures in painted order, and `frame_progress.pkl` beside it the
progress of each. With a recorded video lies `reference_frame.png`, its finished picture. Pickles
are read by `pickled_list`, which runs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from painting_jax.data import pickled_files, pictures, remarks
from painting_jax.data.artwork import painvidpro, pickled_list
from painting_jax.data.artwork.painvidpro import MOST_BYTES, MOST_FRAMES
from painting_jax.data.artwork.pickled_list import Stored
from painting_jax.errors import UserError

_LARGEST = 64 << 30  # bytes of all frames
# Share of the frames at the same progress as the one before, beyond which it is remarked on.
_OFTEN = 0.05


class FramePickles:
    """The frames of a video, as `States`.

    Attributes:
      stated: Medium, progress and split, as far as they are there.
    """

    def __init__(self, path: epath.PathLike):
        """Finds the frames in a file; they are read later.

        Raises:
          UserError: If the file or the one with the progress is damaged, they do not belong
            together, or there are fewer than two frames.
        """
        self._path = epath.Path(path)
        frames = pickled_list.read(self._path, _LARGEST)
        self._frames = [frame for frame in frames if isinstance(frame, Stored)]
        if len(self._frames) != len(frames):
            raise UserError(f"{self._path} must be a list of encoded pictures alone")
        if not 2 <= len(frames) <= MOST_FRAMES:
            raise UserError(f"{self._path} has {len(frames)} frames: 2 to {MOST_FRAMES} are read")
        self.stated: Mapping[str, Any] = {
            **painvidpro.stated_by_place(self._path),
            **painvidpro.stated_medium(painvidpro.row_of_table(self._path)),
            **self._progress(),
        }

    def __len__(self) -> int:
        return len(self._frames)

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """As `States.pictures`; one frame is in memory at a time."""
        places = [self._frames[index] for index in indices]
        if (largest := max((place.size for place in places), default=0)) > MOST_BYTES:
            raise UserError(f"{self._path} has a frame of {largest} bytes: {MOST_BYTES} are read")
        for index, stored in zip(indices, pickled_list.load(self._path, places), strict=True):
            yield pictures.decode(painvidpro.checked(stored, f"{self._path}: frame {index}"))

    @property
    def reference(self) -> np.ndarray | None:
        """The finished picture, uint8[H, W, 3], if it lies beside the frames.

        Raises:
          UserError: If it cannot be read.
        """
        path = self._path.parent / pickled_files.REFERENCE
        return pictures.load(path) if path.exists() else None

    def _progress(self) -> dict[str, list[float]]:
        path = self._path.parent / pickled_files.PROGRESS
        if not path.exists():
            return {}
        values = pickled_list.read(path, MOST_BYTES)
        if len(values) != len(self._frames):
            raise UserError(
                f"{path} has {len(values)} values for {len(self._frames)} frames: without it they "
                "are evenly spaced"
            )
        progress = [float(value) for value in values if isinstance(value, float | int)]
        step_N = np.diff(progress)
        rises = len(progress) == len(values) and (step_N >= 0).all() and step_N.any()
        if not (rises and progress[0] >= 0 and progress[-1] <= 1):
            raise UserError(
                f"{path} must be a list of numbers that rise within 0 to 1: without it the frames "
                "are evenly spaced"
            )
        if (again := float(np.mean(step_N == 0))) > _OFTEN:
            remarks.add(
                f"{path} gives {again:.0%} of the frames the progress of the frame before: of "
                "such frames a data set keeps the last alone"
            )
        return {"progress": progress}
