"""Small made-up photos, recordings and data sets that tests share."""

import pathlib
from collections.abc import Callable

import numpy as np

from painting_jax.data import building, pictures
from painting_jax.data.builders import painted_images

MEDIA = ("oil", "pencil")


def scene(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """A made-up photo: a disc on a ground, uint8[height, width, 3]."""
    rng = np.random.default_rng(seed)
    y_HW, x_HW = np.mgrid[:height, :width]
    inside_HW = (y_HW - height / 2) ** 2 + (x_HW - width / 2) ** 2 < (height / 3) ** 2
    ground_C, disc_C = rng.integers(0, 256, (2, 3))
    picture_HWC = np.where(inside_HW[..., None], disc_C, ground_C) + rng.integers(0, 9, (1, 1, 3))
    return np.clip(picture_HWC, 0, 255).astype(np.uint8)


def recording(seed: int = 0, count: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    """A painting process from white to `scene`, from the top down: uint8[count, H, W, 3]."""
    picture_HWC = scene(seed, height, width)
    done_T = np.linspace(0, height, count)
    painted_TH = np.arange(height)[None] < done_T[:, None]
    return np.where(painted_TH[..., None, None], picture_HWC, 255).astype(np.uint8)


def write_photos(folder: pathlib.Path, count: int) -> None:
    """Writes `count` different photos as png."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        (folder / f"photo{seed}.png").write_bytes(pictures.encode(scene(seed), "png"))


def build_painted(
    data_dir: pathlib.Path,
    photos: pathlib.Path,
    *,
    overwrite: bool = False,
    say: Callable[[str], object] = lambda line: None,
    present: Callable[..., object] = lambda folder, of: None,
    **changes,
) -> building.Summary:
    """Builds tiny painted processes."""
    fields = {"media": MEDIA, "height": 32, "width": 32, "frames": 6, "variants": 2, "tones": False}
    config = painted_images.Config(name="default", source=str(photos), **fields | changes)
    return building.build(
        painted_images.Builder, config, data_dir, overwrite=overwrite, say=say, present=present
    )
