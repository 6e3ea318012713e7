"""Schedules: the noise levels at which models are sampled, computed on the host.

All except `even` match diffusers' schedulers with the settings of the published Wan configs, so
that the same noise gives the same video.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from painting_jax.diffusion.flow_matching import shifted

# Wan was trained with timesteps in 0..1000.
TRAINED = 1000


class Schedule(NamedTuple):
    """Noise levels and timesteps at which a sampler evaluates the model.

    Attributes:
      sigmas: N + 1 noise levels for N steps, decreasing from (nearly) 1 to 0.
      timesteps: Timestep of the model at each step, in 0..1000.
    """

    sigmas: Float[np.ndarray, " n1"]
    timesteps: Float[np.ndarray, " n"]


def _schedule(sigmas: Float[np.ndarray, " n"], timesteps: Float[np.ndarray, " n"]) -> Schedule:
    """Appends the noise level 0; raises ValueError if rounding makes two levels equal."""
    sigmas = np.append(sigmas, 0).astype(np.float32)
    if not np.all(np.diff(sigmas) < 0):
        raise ValueError("noise levels coincide: take a shift nearer to 1 or fewer steps")
    return Schedule(sigmas, timesteps.astype(np.float32))


def even(steps: int, shift: float) -> Schedule:
    """Noise levels evenly spaced from 1 to 0 before the shift."""
    sigmas = shifted(np.linspace(1, 0, steps + 1)[:-1], shift).astype(np.float32)
    return _schedule(sigmas, TRAINED * sigmas)


def unipc(steps: int, shift: float) -> Schedule:
    """`UniPCMultistepScheduler` with flow sigmas (Wan: shift 3 at 480p, 5 at 720p)."""
    sigmas = shifted(np.linspace(1, 1 / TRAINED, steps + 1)[:-1], shift)
    # At noise level 1 the signal-to-noise ratio has no logarithm.
    sigmas[0] = min(sigmas[0], 1 - 1e-6)
    # Timesteps are rounded down to integers.
    return _schedule(sigmas, np.floor(TRAINED * sigmas))


def euler(steps: int, shift: float) -> Schedule:
    """`FlowMatchEulerDiscreteScheduler`.

    Its lowest level is shifted twice: once as the end of the range and once with all others.
    """
    lowest = shifted(1 / TRAINED, shift)
    sigmas = shifted(np.linspace(1, lowest, steps), shift).astype(np.float32)
    return _schedule(sigmas, TRAINED * sigmas)


def distilled(steps: int = 4, shift: float = 5.0) -> Schedule:
    """Schedule of models distilled to a few steps, which need no guidance.

    The defaults are those of LightX2V's distilled Wan 2.1 and 2.2 and of their LoRAs (config
    denoising_step_list 1000, 750, 500, 250 and sample_shift 5). The timesteps are then 1000, 937.5,
    833.3 and 625; the second of two experts takes the last two.
    """
    sigmas = shifted(np.linspace(1, 0, steps + 1)[:-1], shift)
    return _schedule(sigmas, TRAINED * sigmas)
