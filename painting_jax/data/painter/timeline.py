"""The canvas over time: its state after each stage, and when each pixel gets there."""

import numpy as np

from painting_jax.data.painter.canvas import coarser

# Change of a pixel, of 1, that counts as repainted.
_REPAINTED = 0.1


class Timeline:
    """A process between stages, from which a frame at any progress is made.

    Within a stage a pixel changes at most once, at the time at which it is due.
    """

    def __init__(self, ground_YXC: np.ndarray, scale: int):
        """Starts with the ground, float32 0..1, at `scale` times the size of the frames."""
        self._scale = scale
        self._canvas = [self._kept(ground_YXC)]
        self._due: list[np.ndarray] = []
        self._until = [0.0]

    def add(self, canvas_YXC: np.ndarray, due_YX: np.ndarray, until: float) -> None:
        """Adds a stage: the canvas after it, and the progress at which each pixel changes."""
        self._canvas.append(self._kept(canvas_YXC))
        self._due.append(due_YX)
        self._until.append(until)

    def frames(self, progress_T: np.ndarray) -> np.ndarray:
        """Frames at each progress, uint8[T, H, W, 3]."""
        whole = [self._shown(canvas_YXC) for canvas_YXC in self._canvas]
        frames_THWC = np.empty((len(progress_T), *whole[0].shape), np.uint8)
        for t, progress in enumerate(progress_T):
            # Comparison in float32, like that of the progress with the times of strokes.
            past = sum(np.float32(until) <= progress for until in self._until)
            if past == len(self._until) or progress <= 0:
                frames_THWC[t] = whole[past - 1]
                continue
            before, after = (whole if self._scale == 1 else self._canvas)[past - 1 : past + 1]
            done_YX1 = (self._due[past - 1] <= progress)[..., None]
            mixed = np.where(done_YX1, after, before)
            frames_THWC[t] = mixed if self._scale == 1 else self._shown(mixed)
        return frames_THWC

    def work(self, progress_S: np.ndarray) -> np.ndarray:
        """How often the whole canvas was repainted up to each progress, rising from 0: float[S]."""
        work_S = np.zeros(len(progress_S))
        for i, due_YX in enumerate(self._due):
            before, after = (x.astype(np.float32) for x in self._canvas[i : i + 2])
            change_YX = np.abs(after - before).max(-1) / (255 if self._scale == 1 else 1)
            amount_YX = np.minimum(change_YX / _REPAINTED, 1)
            bins_P = np.searchsorted(progress_S, due_YX.ravel())
            work_S += np.bincount(bins_P, amount_YX.ravel(), len(progress_S) + 1)[:-1]
        return np.cumsum(work_S) / self._due[0].size

    def _kept(self, canvas_YXC: np.ndarray) -> np.ndarray:
        return self._shown(canvas_YXC) if self._scale == 1 else canvas_YXC

    def _shown(self, canvas_YXC: np.ndarray) -> np.ndarray:
        if canvas_YXC.dtype == np.uint8:
            return canvas_YXC
        return (coarser(canvas_YXC, self._scale) * 255 + 0.5).astype(np.uint8)
