"""Settings are proposed that use all devices and fit, ranked by what they are expected to do."""

import math

import pytest

from configs import wan21_i2v_14b, wan21_t2v_1_3b
from painting_jax.planning.candidates import candidates
from painting_jax.planning.chips import chip_of
from painting_jax.sharding.mesh import AXES

_V5E, _V5P = chip_of("TPU v5 lite"), chip_of("TPU v5")


@pytest.fixture(scope="module")
def on_v5e():
    return candidates(wan21_i2v_14b.get_config("lora"), 16, _V5E)


def test_every_candidate_uses_all_devices_and_divides_its_batch(on_v5e):
    for one in on_v5e:
        mesh = one.config.mesh
        assert math.prod(mesh[axis] for axis in AXES) == 16
        assert one.config.data.batch_size % (mesh.data * mesh.fsdp) == 0


def test_those_that_fit_come_first(on_v5e):
    fits = [one.fits for one in on_v5e]
    assert fits == sorted(fits, reverse=True)
    assert fits[0]
    assert not fits[-1]


def test_14b_on_v5e_needs_the_tokens_to_be_shared(on_v5e):
    """One sample of 32,760 tokens a chip is refused by the compiler: 22 GB of 16."""
    assert all(one.config.mesh.sequence > 1 for one in on_v5e if one.fits)


def test_on_v5p_the_output_of_attention_is_kept_rather_than_computed_again():
    best = candidates(wan21_i2v_14b.get_config("lora"), 64, _V5P)[0]
    assert best.config.model.remat.startswith("attention")


def test_full_finetuning_needs_more_memory_than_a_lora():
    both = [wan21_t2v_1_3b.get_config(arg) for arg in ("lora", None)]
    lora, full = (
        next(
            one.estimate.memory
            for one in candidates(config, 4, _V5P)
            if one.config.mesh.data == 4 and one.config.model.remat == "full"
        )
        for config in both
    )
    assert full > lora


def test_flags_name_what_differs(on_v5e):
    best = on_v5e[0]
    assert all(part.startswith("--config.") for part in best.flags.split())
    assert "--config.mesh.tensor" not in best.flags
