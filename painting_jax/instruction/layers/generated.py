"""The steps of a process that `generate` wrote."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from painting_jax import json_text
from painting_jax.data import pictures
from painting_jax.data.name_order import natural_order
from painting_jax.data.result_files import RECORD, STEPS
from painting_jax.errors import UserError

_MOST_MEGAPIXELS = 256  # of all steps that are read at once


@dataclasses.dataclass(frozen=True)
class Generated:
    """A folder that `generate` wrote.

    Attributes:
      paths: Pictures of the steps, in painted order; 2 at least.
      record: What is stated of it.
      progress: Progress of each, in [0, 1].
      xmp: Packet of metadata that the last one carries; empty if it has none.
    """

    paths: Sequence[epath.Path]
    record: Mapping[str, Any]
    progress: Sequence[float]
    xmp: bytes

    def shown(self) -> Iterator[np.ndarray]:
        """Yields all steps, uint8 RGB."""
        yield from map(pictures.load, self.paths)

    def frames(self, indices: Sequence[int]) -> np.ndarray:
        """Some steps: uint8[S, H, W, 3].

        Raises:
          UserError: If one cannot be read, or they are too large together.
        """
        with pictures.opened(self.paths[0]) as image:
            width, height = image.size
        if height * width * len(indices) > _MOST_MEGAPIXELS * 10**6:
            raise UserError(
                f"{len(indices)} steps of {width}x{height} pixels have more than "
                f"{_MOST_MEGAPIXELS} megapixels: ask for fewer"
            )
        return np.stack([pictures.load(self.paths[index]) for index in indices])


def find(folder: epath.PathLike) -> Generated:
    """Finds the steps of a process.

    Args:
      folder: What `generate` wrote for one picture and medium.

    Raises:
      UserError: If it is no such folder, or is damaged.
    """
    folder = epath.Path(folder)
    if not (folder / RECORD).exists():
        within = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}"))
        # The folder of several processes is named just as easily.
        hint = f"name one in it, such as {folder / within[0]}" if within else "it has no process"
        raise UserError(f"{folder} is no process that generate wrote: {hint}")
    try:
        record = json_text.read(folder / RECORD)
        progress = [float(value) for value in record["progress"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{folder / RECORD} is damaged: {error}") from None
    steps = folder / STEPS
    names = [path.name for path in steps.iterdir()] if steps.is_dir() else []
    paths = [steps / name for name in sorted(names, key=natural_order) if name.endswith(".png")]
    if len(paths) != len(progress) or len(paths) < 2:
        raise UserError(
            f"{steps} holds {len(paths)} pictures of {len(progress)} steps: generate them again"
        )
    if not all(0 <= value <= 1 for value in progress):
        raise UserError(f"{folder / RECORD} is damaged: it states a progress beyond 0 to 1")
    sizes = set()
    for path in paths:
        with pictures.opened(path) as image:
            sizes.add(image.size)
            # Of the last step: the metadata stand behind the pixels in some files.
            if path == paths[-1]:
                image.load()
            xmp = image.info.get("xmp", b"")
    if len(sizes) > 1:
        raise UserError(f"{steps} holds pictures of several sizes: generate them again")
    return Generated(paths, record, progress, xmp.decode(errors="replace").encode())


def described(generated: Generated, indices: Sequence[int]) -> list[str]:
    """A name for each step."""
    first, *others = indices
    named = ["start" if generated.progress[first] else "ground"]
    for number, index in enumerate(others, start=1):
        named.append(f"step {number}, up to {generated.progress[index]:.0%}")
    return named
