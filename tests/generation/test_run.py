"""What is said before a run paints."""

import pytest

from configs import demo, wan21_i2v_14b
from painting_jax.generation.run import guidance_warning


@pytest.mark.parametrize("guidance", [None, -1.0, 0.0, 1.0, 1.5])
def test_guidance_in_the_range_of_small_models_passes(guidance):
    assert guidance_warning(demo.get_config(), guidance) is None


@pytest.mark.parametrize("guidance", [1.51, 3.0, 7.5])
def test_guidance_above_it_is_warned_of_for_small_models_alone(guidance):
    said = guidance_warning(demo.get_config(), guidance)
    assert said.startswith(f"warning: --guidance={guidance:g}: ")
    assert said.endswith(" up to 1.5")
    assert guidance_warning(wan21_i2v_14b.get_config(), guidance) is None
