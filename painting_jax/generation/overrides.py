"""How a published model is sampled: its publisher's settings, and what the user overrides."""

import dataclasses
import math
import os
import pathlib
import warnings
from typing import BinaryIO

import numpy as np

from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.diffusion.samplers import DISTILLED, make_sampler
from painting_jax.errors import UserError
from painting_jax.models.family import Family

_DISTILLED_SHIFT = 5.0


@dataclasses.dataclass(frozen=True)
class SamplingOverrides:
    """What the user asks for; None = as the model is published.

    Attributes:
      sampler: A key of `samplers.SAMPLERS`.
      steps: Number of sampling steps.
      shift: Time shift of the noise levels.
      guidance: Scale of guidance on the prompt, away from the negative one; 1 = none.
      guidance_2: Guidance of the second expert; None = that of the first.
      frames: Frames of the video.
      height: Height of the video, in pixels.
      width: Width of the video, in pixels.
      max_area: Largest area of a frame, in pixels, where neither side is given.
      prompt: Prompt in place of the medium's.
      negative_prompt: Prompt that guidance leads away from.
      seed: Seed of the noise.
      noise_BCTHW: Noise to start from instead, channels before time, as the argument `latents` of
        diffusers' pipelines.
      noise_name: Where this noise is from, for the record.
      sequential_guidance: Evaluate guidance in two passes, in the memory of one.
    """

    sampler: str | None = None
    steps: int | None = None
    shift: float | None = None
    guidance: float | None = None
    guidance_2: float | None = None
    frames: int | None = None
    height: int | None = None
    width: int | None = None
    max_area: int | None = None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    noise_BCTHW: np.ndarray | None = None
    noise_name: str = ""
    sequential_guidance: bool = False


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """All settings of a sampling.

    Attributes:
      sampler: A key of `samplers.SAMPLERS`.
      steps: Number of sampling steps.
      shift: Time shift of the noise levels.
      guidance: Scale of guidance for each expert.
      frames: Frames of the video.
      max_area: Largest area of a frame, in pixels.
    """

    sampler: str
    steps: int
    shift: float
    guidance: tuple[float, ...]
    frames: int
    max_area: int

    @classmethod
    def resolve(
        cls, folder: Folder, family: Family, overrides: SamplingOverrides
    ) -> "SamplingConfig":
        """A model's published settings with the user's overrides.

        Raises:
          UserError: If the model cannot be sampled so.
        """
        two = folder.has("transformer_2")
        distilled = overrides.sampler in DISTILLED
        if overrides.sampler is None or (overrides.shift is None and not distilled):
            kind, shift = folder.sampler()
        else:
            kind, shift = overrides.sampler, _DISTILLED_SHIFT
        kind = overrides.sampler or kind
        shift = shift if overrides.shift is None else overrides.shift
        # The settings of the models' cards.
        steps, guidance = (4, 1.0) if distilled else (40, 3.5) if two else (50, 5.0)
        guidance = guidance if overrides.guidance is None else overrides.guidance
        if overrides.guidance_2 is not None and not two:
            raise UserError(
                f"--guidance_2={overrides.guidance_2:g}: {folder.name} has one transformer"
            )
        second = guidance if overrides.guidance_2 is None else overrides.guidance_2
        for name, scale in (("guidance", guidance), ("guidance_2", second)):
            if scale < 1:
                raise UserError(f"--{name}={scale:g}: it must be at least 1, which is none")
        steps = overrides.steps or steps
        try:
            make_sampler(kind, steps, shift)
        except ValueError as error:
            raise UserError(f"--shift={shift:g} with --steps={steps}: {error}") from error
        return cls(
            sampler=kind,
            steps=steps,
            shift=shift,
            guidance=(guidance, second) if two else (guidance,),
            frames=overrides.frames or family.frames,
            max_area=overrides.max_area or family.max_area,
        )


def load_noise(path: str | os.PathLike) -> np.ndarray:
    """Reads initial noise from a .npy file; its shape is checked once the video's is known.

    Raises:
      UserError: If it is no array of finite float32 numbers.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise UserError(f"--noise={path} does not exist: name a .npy of start latents")
    if not path.is_file():
        raise UserError(f"--noise={path} is not a file: name a .npy of start latents")
    with path.open("rb") as file:
        try:
            shape, in_columns, dtype = _npy_header(file)
        # The header is Python's words, which NumPy evaluates: it raises errors of any type.
        except Exception as error:
            raise UserError(f"--noise={path} is no .npy of numbers: {error!s:.100}") from error
        # Nothing is allocated for a header that promises more than the file holds.
        if math.prod(shape) * dtype.itemsize != path.stat().st_size - file.tell():
            raise UserError(
                f"--noise={path} is no .npy of numbers: its header promises {list(shape)} of "
                f"{dtype}, the file holds other data"
            )
        if dtype.kind == "f":
            numbers = np.fromfile(file, dtype).reshape(shape, order="F" if in_columns else "C")
            with np.errstate(over="ignore"):
                noise = np.array(numbers, np.float32, order="C")
            if np.isfinite(noise).all():
                return noise
    raise UserError(
        f"--noise={path} must hold one array of finite floating-point numbers, as float32 has them"
    )


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and dtype of a .npy file, which is read up to its data.

    Raises:
      Exception: If it is no such file.
    """
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in read:
        raise ValueError(f"its version is {version}")
    with warnings.catch_warnings():
        # Of headers that Python 2 wrote, which are read.
        warnings.simplefilter("ignore")
        shape, in_columns, dtype = read[version](file)
    # True is an int, too.
    if any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"its shape is {shape}")
    return shape, in_columns, dtype
