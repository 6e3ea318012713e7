"""How a published model is to be sampled: its publishers' settings, and the user's changes."""

import dataclasses
import os
import tokenize

import numpy as np

from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.diffusion.stepwise import DISTILLED, Kind, stepwise
from painting_jax.errors import UserError
from painting_jax.models.wan.vae import WanVAEConfig

_DISTILLED_SHIFT = 5.0


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the user asks for; None = as the model is published.

    Attributes:
      sampler: kind of it.
      steps: of the sampler.
      shift: of the noise levels.
      guidance: on the prompt, away from the negative one; 1 = none.
      guidance_2: of the second transformer; None = as of the first.
      frames: of the video.
      height: of the video, in pixels.
      width: of the video.
      area: pixels of the video where neither is given.
      prompt: instead of the medium's.
      negative_prompt: what guidance leads away from.
      seed: of the noise.
      noise_BCTHW: to start from in place of the seed's, channels before time, as the argument
        `latents` of diffusers' pipelines.
      noise_name: where it is from.
      in_turn: guidance one after the other instead of in one batch.
    """

    sampler: Kind | None = None
    steps: int | None = None
    shift: float | None = None
    guidance: float | None = None
    guidance_2: float | None = None
    frames: int | None = None
    height: int | None = None
    width: int | None = None
    area: int | None = None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    noise_BCTHW: np.ndarray | None = None
    noise_name: str = ""
    in_turn: bool = False


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of a sampling, all of them known.

    Attributes:
      sampler: kind of it.
      steps: of the sampler.
      shift: of the noise levels.
      guidance: of each transformer.
      frames: of the video.
      area: pixels of a frame, about.
    """

    sampler: Kind
    steps: int
    shift: float
    guidance: tuple[float, ...]
    frames: int
    area: int

    @classmethod
    def of(cls, folder: Folder, vae: WanVAEConfig, wishes: Wishes) -> "Recipe":
        """A model's own recipe, changed as asked for.

        Raises:
          UserError: if the model cannot be sampled so.
        """
        two = folder.has("transformer_2")
        distilled = wishes.sampler in DISTILLED
        if wishes.sampler is None or (wishes.shift is None and not distilled):
            kind, shift = folder.sampler()
        else:
            kind, shift = wishes.sampler, _DISTILLED_SHIFT
        kind = wishes.sampler or kind
        shift = shift if wishes.shift is None else wishes.shift
        # The settings of the models' cards.
        steps, guidance = (4, 1.0) if distilled else (40, 3.5) if two else (50, 5.0)
        guidance = guidance if wishes.guidance is None else wishes.guidance
        if wishes.guidance_2 is not None and not two:
            raise UserError(
                f"--guidance_2={wishes.guidance_2:g}: {folder.name} has one transformer"
            )
        second = guidance if wishes.guidance_2 is None else wishes.guidance_2
        for name, scale in (("guidance", guidance), ("guidance_2", second)):
            if scale < 1:
                raise UserError(f"--{name}={scale:g}: it must be at least 1, which is none")
        steps = wishes.steps or steps
        try:
            stepwise(kind, steps, shift)
        except ValueError as error:
            raise UserError(f"--shift={shift:g} with --steps={steps}: {error}") from error
        large = vae.residual  # Wan2.2's autoencoder, of TI2V 5B
        return cls(
            sampler=kind,
            steps=steps,
            shift=shift,
            guidance=(guidance, second) if two else (guidance,),
            frames=wishes.frames or (121 if large else 81),
            area=wishes.area or (704 * 1280 if large else 480 * 832),
        )


def load_noise(path: str | os.PathLike) -> np.ndarray:
    """Reads start latents from a .npy file; their shape is judged when the video's is known.

    Raises:
      UserError: if it is no array of finite numbers, of those that float32 holds.
    """
    try:
        # Mapped, a header that promises more than the file holds takes no memory.
        noise = np.load(path, allow_pickle=False, mmap_mode="r")
    except FileNotFoundError:
        raise UserError(f"--noise={path} does not exist: name a .npy of start latents") from None
    # The header is Python's words, which NumPy reads with Python's own tokenizer.
    except (OSError, ValueError, EOFError, OverflowError, tokenize.TokenError) as error:
        raise UserError(f"--noise={path} is no .npy of numbers: {error}") from error
    if isinstance(noise, np.ndarray) and noise.dtype.kind == "f":
        with np.errstate(over="ignore"):
            noise = np.array(noise, np.float32)
        if np.isfinite(noise).all():
            return noise
    raise UserError(
        f"--noise={path} must hold one array of finite floating-point numbers, as float32 has them"
    )
