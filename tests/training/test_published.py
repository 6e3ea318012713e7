"""Fifty steps of a LoRA on a tiny random Wan2.2 TI2V of diffusers', and what comes of them."""

import pathlib
import re
import shutil

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.torch import load_file, save_file

from configs import wan22_ti2v_5b
from painting_jax import media
from painting_jax.checkpoints import lora_files
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.from_run import finetuned_painter
from painting_jax.generation.overrides import SamplingConfig, SamplingOverrides
from painting_jax.generation.run import Run
from painting_jax.models import lora
from painting_jax.models.wan.transformer import WanTransformer
from painting_jax.tasks import published
from painting_jax.tasks.exports import LORA_FILE
from painting_jax.tasks.finetune import Finetune
from painting_jax.training import initialisation
from painting_jax.training.checkpoint import Checkpoints
from tests import tiny_wan
from tests.training import runs
from tests.training.published_run import (
    ONE_DEVICE,
    assert_resumed_as_left_alone,
    assert_sheet_is_what_generate_paints,
    paint,
    train,
)

FRAMES, HEIGHT, WIDTH = 5, 32, 64
STEPS, SAVED = 50, 25
SIZES = {
    "dim": 24,
    "layers": 2,
    "heads": 2,
    "ffn_dim": 32,
    "text_dim": 16,
    "in_channels": 6,
}


def experiment(pretrained: pathlib.Path, data_dir: pathlib.Path):
    config = wan22_ti2v_5b.get_config(f"lora,rank=3,steps={STEPS},tiny")
    config.model.update(SIZES)
    config.pretrained.path = str(pretrained)
    config.data.data_dir = str(data_dir)
    config.data.update(frames=FRAMES, height=HEIGHT, width=WIDTH, batch_size=4, buckets=())
    config.data.allow_upscaling = True
    # The shift of the scheduler that lies in the folder.
    config.sampling.update(steps=2, guidance=3.0, shift=3.0)
    config.checkpoint.every = SAVED
    return config


@pytest.fixture(scope="module")
def pipeline():
    return tiny_wan.pipeline("wan22_ti2v")


@pytest.fixture(scope="module")
def config(pipeline, painted_dir, tmp_path_factory):
    folder = tiny_wan.save(pipeline, tmp_path_factory.mktemp("published") / "ti2v")
    return experiment(folder, painted_dir)


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return train(config, tmp_path_factory.mktemp("further") / "run")


@pytest.fixture(scope="module")
def model(run) -> Run:
    return Run.load(run.workdir, Devices(ONE_DEVICE))


def test_the_loss_falls(run):
    losses = [float(value) for value in re.findall(r"(?<!_)loss (\S+)", run.printed)]
    assert len(losses) == STEPS // 10
    assert losses[-1] < 0.9 * losses[0]


def test_only_the_lora_is_trained_and_saved(run):
    saved = runs.last_state(run.workdir)
    params = [name for name in saved if name.startswith("params/")]
    assert {name.rpartition("/")[2] for name in params} == {"lora_a", "lora_b"}
    assert len(params) == 2 * 10, "queries, keys, values, outputs of two attentions; feed-forward"
    moments = [name for name in saved if re.search(r"/(mu|nu)/", name)]
    assert len(moments) == 2 * len(params)
    averages = [name for name in saved if name.startswith("ema_params/")]
    assert len(saved) - len(params) - len(moments) - len(averages) < 5, "steps and counts"


def test_the_base_stays_bit_for_bit_what_it_was(run, model):
    jax.tree.map(np.testing.assert_array_equal, run.frozen, model.frozen)


def test_cut_off_and_resumed_it_is_bit_for_bit_the_run_left_alone(run, config, tmp_path):
    assert_resumed_as_left_alone(config, run.workdir, tmp_path / "run", saved=SAVED)


def test_its_lora_paints_in_diffusers_what_it_paints_here(run, pipeline, config):
    picture_HWC = tiny_wan.picture(HEIGHT, WIDTH)
    noise_BCTHW = tiny_wan.noise(pipeline, FRAMES, HEIGHT, WIDTH)
    wishes = SamplingOverrides(noise_BCTHW=noise_BCTHW, noise_name="given")
    ours = paint(run.workdir, picture_HWC, wishes, "oil")
    pipeline.load_lora_weights(str(run.workdir), weight_name=LORA_FILE)
    asked = {
        "prompt": media.MEDIA["oil"].prompt,
        "negative_prompt": "",
        "num_inference_steps": config.sampling.steps,
        "guidance_scale": config.sampling.guidance,
    }
    theirs = tiny_wan.paint(pipeline, picture_HWC, noise_BCTHW, FRAMES, **asked)
    pipeline.unload_lora_weights()
    bare = tiny_wan.paint(pipeline, picture_HWC, noise_BCTHW, FRAMES, **asked)
    assert np.abs(theirs - bare).max() > 0.01, "the LoRA is to be seen"
    np.testing.assert_allclose(ours.raw_THWC, theirs, rtol=0, atol=1e-3)


def test_a_sheet_painted_while_training_is_what_generate_paints(run, config):
    # The picture itself comes before the process, which has a frame less than the video.
    assert_sheet_is_what_generate_paints(run, config, frames=FRAMES - 1)


def test_what_it_leaves_is_the_average_of_its_adapters(run, model):
    bare = nnx.eval_shape(lambda: WanTransformer(model.task.model.config, rngs=nnx.Rngs(0)))
    shapes = lora.kernels(bare)
    left = lora.combine([(lora_files.read(run.workdir / LORA_FILE, shapes).factors, 1.0)], shapes)
    jax.tree.map(np.testing.assert_array_equal, lora.as_tree(left), model.params)


def test_another_run_goes_on_with_its_lora_or_with_its_state(run, config, model, tmp_path):
    for name in (LORA_FILE, ""):
        again = config.copy_and_resolve_references()
        again.init_from = str(run.workdir / name)
        initialisation.check_init_from(again)
        task = Finetune(again, Folder.open(config.pretrained.path))
        checkpoints = Checkpoints(tmp_path / f"run{name}")
        state, batch, origin = initialisation.start_state(task, checkpoints, ONE_DEVICE)
        checkpoints.close()
        assert (int(state.step), batch, origin) == (0, 0, f"started from {again.init_from}")
        jax.tree.map(np.testing.assert_array_equal, state.params, model.params)


def test_a_run_on_other_weights_is_not_gone_on_with(run, config, tmp_path):
    again = config.copy_and_resolve_references()
    again.init_from = str(run.workdir)
    for path in ("", tiny_wan.save(tiny_wan.pipeline("wan21_t2v"), tmp_path / "other")):
        again.pretrained.path = str(path)
        said = f"trained other weights.*config.pretrained.path={config.pretrained.path}"
        with pytest.raises(UserError, match=said):
            initialisation.check_init_from(again)


@pytest.mark.parametrize(
    ("kind", "spoilt", "said"),
    [
        ("wan22_i2v_a14b", None, "has two transformers, which are trained one at a time: set"),
        ("wan22_ti2v", "transformer", "1 missing (proj_out.bias)"),
        ("wan22_ti2v", "vae", "1 missing (decoder.conv_in.bias)"),
    ],
)
def test_a_base_that_cannot_be_trained_is_refused(config, tmp_path, kind, spoilt, said):
    again = config.copy_and_resolve_references()
    again.pretrained.path = str(tiny_wan.save(tiny_wan.pipeline(kind), tmp_path / kind))
    if spoilt:
        [file] = (tmp_path / kind / spoilt).glob("*.safetensors")
        state = load_file(file)
        del state[re.search(r"\((.+)\)", said)[1]]
        save_file(state, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=re.escape(said)):
        published.check_base(again)


def test_it_paints_as_asked_and_else_as_in_its_config(run, config):
    def recipe(**asked):
        return finetuned_painter(
            run.workdir, SamplingOverrides(**asked), devices=Devices(ONE_DEVICE)
        ).sampling

    own = recipe()
    assert (own.sampler, own.steps, own.shift, own.guidance) == ("unipc", 2, 3.0, (3.0,))
    assert (own.frames, own.max_area) == (FRAMES, HEIGHT * WIDTH)
    asked = recipe(sampler="euler", steps=7, shift=1.5, guidance=2.0, frames=9, max_area=64 * 64)
    assert asked == SamplingConfig("euler", 7, 1.5, (2.0,), 9, 64 * 64)
    distilled = recipe(sampler="lcm")
    assert (distilled.steps, distilled.shift, distilled.guidance) == (4, 5.0, (1.0,))


def test_a_base_that_has_changed_is_refused(run, config, tmp_path):
    moved = tmp_path / "other"
    shutil.copytree(config.pretrained.path, moved)
    changed = config.copy_and_resolve_references()
    changed.pretrained.path = str(moved)
    published.open_base(changed, run.workdir)  # a copy is the same model
    file = moved / "transformer" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="holds other weights than when"):
        published.open_base(changed, run.workdir)
