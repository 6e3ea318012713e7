"""Sampling settings of a published model: its published values and the user's overrides."""

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
from painting_jax.generation import resolution
from painting_jax.models.family import Family

_DISTILLED_SHIFT = 5.0


@dataclasses.dataclass(frozen=True)
class SamplingOverrides:
    """Sampling settings that the user overrides; None = the published value.

    Attributes:
      sampler: A key of `samplers.SAMPLERS`.
      steps: Number of sampling steps.
      shift: Time shift of the noise levels.
      guidance: Scale of classifier-free guidance on the prompt, away from the negative prompt;
        1 = none.
      guidance_2: Scale of guidance for the second expert; None = that of the first.
      frames: Number of frames of the video.
      height: Height of the video, in pixels.
      width: Width of the video, in pixels.
      max_area: Largest area of a frame, in pixels, if neither side is set.
      buckets: Heights and widths of which the nearest is taken for each picture, instead.
      prompt: Prompt that replaces the medium's.
      negative_prompt: Prompt that guidance leads away from.
      seed: Seed of the noise.
      noise_BCTHW: Initial noise that replaces the seed's, channels before time, like the argument
        `latents` of diffusers' pipelines.
      noise_name: File of this noise, for the record.
      sequential_guidance: Whether guidance is evaluated in two sequential passes, with the memory
        of one.
      step_cache: Threshold of the step cache, see `step_cache.skipped_steps`; 0 = none.
      order: What is painted one after the other, in words, for the prompt.
      canvas_HWC: Canvas from which the process goes on, uint8, of the picture's shape, see
        `going_on.Canvas`; None = a blank one.
      canvas_progress: Progress of that canvas, for the record.
      from_estimated: Whether it was estimated from the canvas, for the record.
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
    buckets: tuple[tuple[int, int], ...] = ()
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    noise_BCTHW: np.ndarray | None = None
    noise_name: str = ""
    sequential_guidance: bool = False
    step_cache: float = 0.0
    order: tuple[str, ...] = ()
    canvas_HWC: np.ndarray | None = None
    canvas_progress: float = 0.0
    from_estimated: bool = False


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """Resolved sampling settings of a published model.

    Attributes:
      sampler: A key of `samplers.SAMPLERS`.
      steps: Number of sampling steps.
      shift: Time shift of the noise levels.
      guidance: Scale of classifier-free guidance for each expert.
      frames: Number of frames of the video.
      max_area: Largest area of a frame, in pixels.
      area_note: Why it is this one, for the user; empty if that is plain.
    """

    sampler: str
    steps: int
    shift: float
    guidance: tuple[float, ...]
    frames: int
    max_area: int
    area_note: str = dataclasses.field(default="", compare=False)

    @classmethod
    def resolve(
        cls, folder: Folder, family: Family, overrides: SamplingOverrides
    ) -> "SamplingConfig":
        """The published settings of a model with the user's overrides.

        Raises:
          UserError: If the model cannot be sampled with these settings.
        """
        two = folder.has("transformer_2")
        distilled = overrides.sampler in DISTILLED
        if overrides.sampler is None or (overrides.shift is None and not distilled):
            kind, shift = folder.sampler()
        else:
            kind, shift = overrides.sampler, _DISTILLED_SHIFT
        kind = overrides.sampler or kind
        shift = shift if overrides.shift is None else overrides.shift
        # Settings from the model cards.
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
        max_area, area_note = _area(folder, family, overrides)
        return cls(
            sampler=kind,
            steps=steps,
            shift=shift,
            guidance=(guidance, second) if two else (guidance,),
            frames=overrides.frames or family.frames,
            max_area=max_area,
            area_note=area_note,
        )


def _area(folder: Folder, family: Family, overrides: SamplingOverrides) -> tuple[int, str]:
    """The largest area of a frame, and why it is this one."""
    if overrides.max_area:
        return overrides.max_area, ""
    try:
        _, shift = folder.sampler()
    except UserError:
        shift = None  # The user names a sampler in the place of one that is not implemented.
    area, note = resolution.trained_area(folder.title, family.max_area, shift)
    return area, "" if overrides.height or overrides.width else note


def load_noise(path: str | os.PathLike) -> np.ndarray:
    """Reads initial noise from a .npy file. Its shape is checked later, against the video's.

    Raises:
      UserError: If the file does not hold an array of finite float32 numbers.
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
