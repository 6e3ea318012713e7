"""The published noise levels, against diffusers' schedulers."""

import numpy as np
import pytest
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from painting_jax.diffusion import schedules

STEPS = [1, 2, 4, 10, 50]
SHIFTS = [1.0, 3.0, 5.0]


def unipc_scheduler(shift: float) -> UniPCMultistepScheduler:
    """As the published Wan configs have it."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift
    )


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("steps", STEPS)
def test_noise_levels_and_timesteps_equal_diffusers(steps, shift):
    for ours, scheduler in (
        (schedules.unipc, unipc_scheduler(shift)),
        (schedules.euler, FlowMatchEulerDiscreteScheduler(shift=shift)),
    ):
        scheduler.set_timesteps(steps)
        sigmas, timesteps = ours(steps, shift)
        np.testing.assert_allclose(sigmas, scheduler.sigmas.numpy(), rtol=3e-7)
        np.testing.assert_allclose(timesteps, scheduler.timesteps.numpy(), rtol=3e-7)
        assert len(timesteps) == steps


def test_unipc_tells_the_model_whole_timesteps():
    timesteps = schedules.unipc(30, 5.0).timesteps
    np.testing.assert_array_equal(timesteps, np.floor(timesteps))


def test_distilled_models_are_told_what_diffusers_tells_them_at_their_four_levels():
    scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25])
    sigmas, timesteps = schedules.distilled()
    np.testing.assert_allclose(sigmas, scheduler.sigmas.numpy(), rtol=3e-7)
    np.testing.assert_allclose(timesteps, [1000, 937.5, 833.3333, 625], rtol=1e-6)
