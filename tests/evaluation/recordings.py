"""Small painted processes for tests, and the folders that hold them."""

import pathlib

import jax.numpy as jnp
import numpy as np
from flax import nnx

from painting_jax.data import pictures, video
from painting_jax.evaluation.networks import Networks
from painting_jax.evaluation.videos import Video


class Pixels(nnx.Module):
    """Mean squared error as a perceptual distance: quick, and easy to check by hand."""

    label = "squared error"
    at_once = None

    def embed(self, pictures_NHWC):
        flat = pictures_NHWC.astype(jnp.float32).reshape(len(pictures_NHWC), -1) / 255
        return flat / jnp.sqrt(flat.shape[1])


PIXELS = Networks(Pixels())


def process(seed: int, *, frames: int = 5, height: int = 64, width: int = 64) -> np.ndarray:
    """A blank canvas that fills with coloured squares: uint8[T, H, W, 3]."""
    rng = np.random.default_rng(seed)
    canvas = np.full((height, width, 3), 245, np.uint8)
    shown = [canvas.copy()]
    for _ in range(frames - 1):
        for _ in range(6):
            y, x = rng.integers(0, height - 8), rng.integers(0, width - 8)
            canvas[y : y + 16, x : x + 16] = rng.integers(0, 256, 3)
        shown.append(canvas.copy())
    return np.stack(shown)


def as_video(seed: int, *, name: str = "", medium: str = "oil", frames: int = 5) -> Video:
    """The same as the evaluation holds it."""
    progress = np.linspace(0, 1, frames, dtype=np.float32)
    return Video(name or f"picture{seed}", process(seed, frames=frames), progress, medium)


def write_pictures(folder: pathlib.Path, frames_THWC: np.ndarray) -> None:
    """As numbered pictures, from 1."""
    folder.mkdir(parents=True)
    for index, frame_HWC in enumerate(frames_THWC):
        (folder / f"{index + 1}.png").write_bytes(pictures.encode(frame_HWC, "png"))


def write_movie(path: pathlib.Path, frames_THWC: np.ndarray) -> None:
    """As an mp4 or, by the suffix, an animated webp."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write = video.write_webp if path.suffix == ".webp" else video.write_mp4
    write(path, frames_THWC, fps=4)
