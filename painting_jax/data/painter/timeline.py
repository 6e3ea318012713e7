"""The canvas over time: its state after each layer of paint, and when each pixel gets there."""

import numpy as np

from painting_jax.data.painter.canvas import coarser

# Change of a pixel, of 1, that counts as repainted.
_REPAINTED = 0.1


class Timeline:
    """A process in layers of paint, from which a frame at any progress is made.

    In a layer a pixel changes at most once, at the time at which it is due. The layers of a pixel
    are due in their order; those of different regions may overlap in time.
    """

    def __init__(self, ground_YXC: np.ndarray, scale: int):
        """Starts with the ground, float32 0..1, at `scale` times the size of the frames."""
        self._scale = scale
        self._canvas = [self._kept(ground_YXC)]
        self._due: list[np.ndarray] = []
        self._spans: list[tuple[float, float]] = []

    def add(self, canvas_YXC: np.ndarray, due_YX: np.ndarray) -> None:
        """Adds a layer: the canvas after it, and the progress at which each pixel changes."""
        self._canvas.append(self._kept(canvas_YXC))
        self._due.append(due_YX)
        finite_P = due_YX[due_YX < 2]
        self._spans.append((finite_P.min(initial=2), finite_P.max(initial=0)))

    def frames(self, progress_T: np.ndarray) -> np.ndarray:
        """Frames at each progress, which rises from 0 to 1: uint8[T, H, W, 3]."""
        seen_YXC = self._canvas[0].copy()
        flat_PC, before = seen_YXC.reshape(-1, seen_YXC.shape[-1]), 0.0
        frames = []
        for progress in progress_T:
            for due_YX, after_YXC, (first, last) in zip(
                self._due, self._canvas[1:], self._spans, strict=True
            ):
                if first <= progress and last > before:
                    # Only what is new has to be changed.
                    new = np.flatnonzero((due_YX <= progress) & (due_YX > before))
                    flat_PC[new] = after_YXC.reshape(flat_PC.shape)[new]
            before = progress
            frames.append(self._shown(seen_YXC).copy())
        return np.stack(frames)

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
