"""The noise levels that models are sampled at.

But for `even`, they are computed on the host, and are those of diffusers' schedulers as the
published Wan configs set them up, so that a video from the same noise is the same video.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from painting_jax.diffusion.flow_matching import shifted

# Noise levels that Wan tells apart in training: timesteps are in 0..1000.
TRAINED = 1000


class Schedule(NamedTuple):
    """Where a sampler evaluates the model.

    Attributes:
      sigmas: N + 1 noise levels for N steps, falling from (nearly) 1 to 0.
      timesteps: what the model is told at each step, in 0..1000.
    """

    sigmas: Float[np.ndarray, " n1"]
    timesteps: Float[np.ndarray, " n"]


def even(steps: int, shift: float) -> Float[Array, " n1"]:
    """Noise levels from 1 to 0, `steps` + 1 of them, evenly spaced before the shift."""
    return shifted(jnp.linspace(1.0, 0.0, steps + 1), shift)


def _schedule(sigmas: Float[np.ndarray, " n"], timesteps: Float[np.ndarray, " n"]) -> Schedule:
    """Levels with a 0 behind them; a ValueError if a shift or too many steps make any two one."""
    sigmas = np.append(sigmas, 0).astype(np.float32)
    if not np.all(np.diff(sigmas) < 0):
        raise ValueError("the noise levels run together, take a shift nearer 1 or fewer steps")
    return Schedule(sigmas, timesteps.astype(np.float32))


def unipc(steps: int, shift: float) -> Schedule:
    """Of UniPC: `UniPCMultistepScheduler` with flow sigmas (Wan: shift 3 at 480p, 5 at 720p)."""
    sigmas = shifted(np.linspace(1, 1 / TRAINED, steps + 1)[:-1], shift)
    # At noise level 1 the signal-to-noise ratio has no logarithm.
    sigmas[0] = min(sigmas[0], 1 - 1e-6)
    # The model is told whole timesteps, rounded down.
    return _schedule(sigmas, np.floor(TRAINED * sigmas))


def euler(steps: int, shift: float) -> Schedule:
    """Of Euler steps: `FlowMatchEulerDiscreteScheduler`.

    Its lowest level is shifted twice, once as the end of the range and once like all others.
    """
    lowest = shifted(1 / TRAINED, shift)
    sigmas = shifted(np.linspace(1, lowest, steps), shift).astype(np.float32)
    return _schedule(sigmas, TRAINED * sigmas)


def distilled(timesteps: Sequence[float] = (1000, 750, 500, 250), shift: float = 5.0) -> Schedule:
    """Of models distilled to a few steps, which need no guidance.

    The defaults are those of LightX2V's distilled Wan 2.1 and 2.2 and of their LoRAs (its
    configurations: denoising_step_list, sample_shift), which makes the timesteps 1000, 937.5, 833.3
    and 625; of two transformers the second takes the last two. Wan 2.2's take Euler steps over it,
    Wan 2.1's `samplers.lcm`.

    Args:
      timesteps: that the model was distilled at, before the shift, falling.
      shift: that it was distilled with.
    """
    sigmas = shifted(np.asarray(timesteps, np.float64) / TRAINED, shift)
    return _schedule(sigmas, TRAINED * sigmas)
