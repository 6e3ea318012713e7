"""One of two experts trained on a tiny random Wan2.2 A14B of diffusers', and both with a LoRA."""

import types

import numpy as np
import pytest

from configs import wan22_i2v_a14b
from painting_jax.checkpoints import adapters
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.tasks.exports import LORA_FILE
from painting_jax.tasks.finetune import Finetune
from painting_jax.training import initialisation
from tests import tiny_wan
from tests.generation.test_pretrained import painted
from tests.training.published_run import (
    ONE_DEVICE,
    assert_sheet_is_what_generate_paints,
    paint,
    train,
)

FRAMES, HEIGHT, WIDTH, STEPS = 5, 32, 48, 4
PROMPT = {"prompt": "a cat paints in oil", "negative_prompt": ""}


@pytest.fixture(scope="module")
def pipeline():
    return tiny_wan.pipeline("wan22_i2v_a14b")


@pytest.fixture(scope="module")
def config(pipeline, painted_dir, tmp_path_factory):
    """Of the expert for low noise."""
    config = wan22_i2v_a14b.get_config(f"lora,rank=3,steps={STEPS},tiny")
    folder = tiny_wan.save(pipeline, tmp_path_factory.mktemp("published") / "a14b")
    config.pretrained.update(path=str(folder), expert="low")
    channels = 2 * pipeline.vae.config.z_dim + 4
    config.model.update(dim=24, ffn_dim=32, text_dim=16, in_channels=channels)
    config.data.data_dir = str(painted_dir)
    config.data.update(frames=FRAMES, height=HEIGHT, width=WIDTH, buckets=())
    config.data.allow_upscaling = True
    # So few steps must change what is painted.
    config.optimizer.update(learning_rate=0.1, warmup_steps=0)
    # The shift of the scheduler that lies in the folder; two of the steps are above the boundary.
    config.sampling.update(steps=5, guidance=1.0, shift=3.0)
    config.model.remat = "none"  # which would be compiled, too
    return config


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return train(config, tmp_path_factory.mktemp("expert") / "run")


@pytest.fixture
def given(pipeline, config):
    """A picture, what diffusers paints of it, and what is asked of us."""
    picture_HWC = tiny_wan.picture(HEIGHT, WIDTH)
    noise_BCTHW = tiny_wan.noise(pipeline, FRAMES, HEIGHT, WIDTH)
    size = {"frames": FRAMES, "height": HEIGHT, "width": WIDTH}
    steps, guidance = config.sampling.steps, config.sampling.guidance

    def theirs(**loras: tuple) -> np.ndarray:
        for name, (path, second) in loras.items():
            pipeline.load_lora_weights(str(path), adapter_name=name, load_into_transformer_2=second)
        asked = {"num_inference_steps": steps, "guidance_scale": guidance} | PROMPT
        frames_THWC = tiny_wan.paint(pipeline, picture_HWC, noise_BCTHW, FRAMES, **asked)
        pipeline.unload_lora_weights()
        return frames_THWC

    wishes = SamplingOverrides(
        **PROMPT, **size, steps=steps, guidance=guidance, noise_BCTHW=noise_BCTHW, noise_name="it"
    )
    return types.SimpleNamespace(picture_HWC=picture_HWC, theirs=theirs, wishes=wishes)


def assert_close(ours, theirs_THWC: np.ndarray) -> None:
    np.testing.assert_allclose(ours.raw_THWC, theirs_THWC, rtol=0, atol=1e-3)


def test_its_lora_paints_in_diffusers_second_transformer_what_it_paints_here(run, given):
    expected = given.theirs(low=(run.workdir / LORA_FILE, True))
    assert np.abs(expected - given.theirs()).max() > 0.01, "the LoRA is to be seen"
    assert_close(paint(run.workdir, given.picture_HWC, given.wishes, "oil"), expected)


def test_a_lora_for_each_expert_paints_what_diffusers_paints_with_both(
    run, given, config, tmp_path
):
    high, low = tiny_wan.write_lora(tmp_path / "high.safetensors", 1), run.workdir / LORA_FILE
    expected = given.theirs(high=(high, False), low=(low, True))
    painter = PretrainedPainter(
        Folder.open(config.pretrained.path),
        given.wishes,
        devices=Devices(ONE_DEVICE),
        loras=[adapters.parse([str(high)]), adapters.parse([str(low)])],
        cache=str(tmp_path),
        log=lambda line: None,
    )
    assert_close(painted(painter, given.picture_HWC), expected)


def test_a_sheet_painted_while_training_is_what_generate_paints(run, config):
    assert_sheet_is_what_generate_paints(run, config, frames=FRAMES)


def test_the_base_of_either_expert_stays_bit_for_bit_what_it_was(run, pipeline):
    for name, theirs in (
        ("other_expert", pipeline.transformer),
        ("transformer", pipeline.transformer_2),
    ):
        held = run.frozen[name]["proj_out"]["kernel"]
        np.testing.assert_array_equal(held, theirs.proj_out.weight.detach().numpy().T)


@pytest.mark.parametrize(("expert", "levels"), [("high", (0.9, 1.0)), ("low", (0.0, 0.9))])
def test_noise_levels_are_those_that_the_expert_paints_at(config, expert, levels):
    config = config.copy_and_resolve_references()
    config.pretrained.expert = expert
    task = Finetune(config, Folder.open(config.pretrained.path))
    assert task.objective.noise.sigma_range == levels
    assert f"the expert for {expert} noise" in task.origin


def test_a_run_on_the_other_expert_is_not_gone_on_with(run, config):
    config = config.copy_and_resolve_references()
    config.init_from = str(run.workdir)
    initialisation.check_init_from(config)
    config.pretrained.expert = "high"
    with pytest.raises(UserError, match="trained the expert for low noise"):
        initialisation.check_init_from(config)
