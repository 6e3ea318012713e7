"""A text-to-video model that a LoRA has made one of pictures: `generate` and diffusers take it."""

import pathlib

import pytest
import torch
from diffusers import DiffusionPipeline, WanImageToVideoPipeline, WanPipeline
from safetensors.torch import load_file, save_file

from painting_jax.checkpoints import adapters, conversion, lora_files
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.generation.pretrained import PretrainedPainter
from tests import tiny_wan
from tests.generation.test_pretrained import assert_close, painted
from tests.training.published_run import ONE_DEVICE

FRAMES, HEIGHT, WIDTH, CHANNELS = 5, 32, 48, 4
PROMPT = {"prompt": "a cat paints in oil"}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> pathlib.Path:
    """A text-to-video model as it is published."""
    parts = ("tokenizer", "text_encoder", "vae", "scheduler", "transformer")
    pipeline = tiny_wan.pipeline("wan21_t2v")
    of_text = WanPipeline(**{name: getattr(pipeline, name) for name in parts})
    return tiny_wan.save(of_text, tmp_path_factory.mktemp("base") / "t2v")


@pytest.fixture(scope="module")
def loras(tmp_path_factory) -> dict[str, pathlib.Path]:
    """LoRAs by how the model takes a picture with them."""
    folder = tmp_path_factory.mktemp("loras")
    style = tiny_wan.write_lora(folder / "style.safetensors", 1)
    tensors = load_file(style)
    factors = lora_files.read(style, lora_files.own_shapes(tensors)).factors
    painting = folder / "painting.safetensors"
    lora_files.write(painting, factors, "comfyui", first_frame=True)
    rng = torch.Generator().manual_seed(2)
    shapes = {"A": (3, 2 * CHANNELS + 4, 1, 2, 2), "B": (24, 3, 1, 1, 1)}
    for part, shape in shapes.items():
        key = f"transformer.patch_embedding.lora_{part}.weight"
        tensors[key] = 0.3 * torch.randn(shape, generator=rng)
    save_file(tensors, folder / "wider.safetensors")
    return {"text": style, "first frame": painting, "concatenated": folder / "wider.safetensors"}


def merge(base: pathlib.Path, target: pathlib.Path, *loras: pathlib.Path) -> pathlib.Path:
    named = {"transformer": adapters.parse(list(map(str, loras)))}
    conversion.convert(base, target, "diffusers", changes=conversion.Changes(loras=named))
    return target


@pytest.mark.parametrize("way", ["first frame", "concatenated"])
def test_merged_or_beside_it_paints_what_diffusers_paints(base, loras, way, tmp_path):
    merged = merge(base, tmp_path / "merged", loras[way])
    theirs = DiffusionPipeline.from_pretrained(merged)
    assert isinstance(theirs, WanImageToVideoPipeline)
    assert theirs.config.expand_timesteps == (way == "first frame")
    theirs.set_progress_bar_config(disable=True)
    picture_HWC = tiny_wan.picture(HEIGHT, WIDTH)
    noise_BCTHW = tiny_wan.noise(theirs, FRAMES, HEIGHT, WIDTH)
    asked = {"guidance_scale": 1.0, "num_inference_steps": 2}
    expected = tiny_wan.paint(theirs, picture_HWC, noise_BCTHW, FRAMES, **PROMPT, **asked)
    wishes = SamplingOverrides(
        **PROMPT,
        guidance=1.0,
        steps=2,
        frames=FRAMES,
        height=HEIGHT,
        width=WIDTH,
        noise_BCTHW=noise_BCTHW,
    )
    for folder, named in ((merged, []), (base, adapters.parse([str(loras[way])]))):
        painter = PretrainedPainter(
            Folder.open(folder),
            wishes,
            devices=Devices(ONE_DEVICE),
            loras=[named],
            cache=str(tmp_path / "embeddings"),
            log=lambda line: None,
        )
        assert_close(painted(painter, picture_HWC).raw_THWC, expected)


def test_the_channels_that_a_lora_adds_hold_what_it_says_and_the_others_what_they_held(
    base, loras, tmp_path
):
    merged = merge(base, tmp_path / "merged", loras["concatenated"])
    held, kernel = (
        load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")[
            "patch_embedding.weight"
        ]
        for folder in (base, merged)
    )
    down, up = (
        load_file(loras["concatenated"])[f"transformer.patch_embedding.lora_{part}.weight"]
        for part in "AB"
    )
    expected = torch.einsum("rcthw,or->octhw", down, up[..., 0, 0, 0])
    expected[:, :CHANNELS] += held
    torch.testing.assert_close(kernel, expected, atol=1e-5, rtol=0)


def test_a_lora_that_says_nothing_of_pictures_leaves_a_model_of_text(base, loras, tmp_path):
    merged = merge(base, tmp_path / "merged", loras["text"])
    assert isinstance(DiffusionPipeline.from_pretrained(merged), WanPipeline)
    with pytest.raises(UserError, match="from text alone"):
        PretrainedPainter(Folder.open(merged), SamplingOverrides())


@pytest.mark.parametrize("way", ["text", "first frame", "concatenated"])
def test_a_warning_tells_that_a_lora_says_nothing_of_pictures(base, loras, way):
    said: list[str] = []
    named = adapters.parse([str(loras[way])])
    PretrainedPainter(Folder.open(base), SamplingOverrides(), loras=[named], log=said.append)
    assert said[0] == (
        "t2v paints frames like 480x832, as nothing says that it was trained at 720P; --max_area, "
        "--height and --width ask for other sizes"
    )
    assert "changes " in said[1]
    assert "scaled by 1 (no alpha)" in said[1]
    warnings = [line for line in said if line.startswith("warning: ")]
    assert len(warnings) == (way == "text")
    assert all("makes videos from text alone, and nothing says" in line for line in warnings)


@pytest.mark.parametrize("asked", [{"height": 64}, {"width": 64}, {"max_area": 10_000}])
def test_of_a_size_that_is_asked_for_nothing_is_said(base, loras, asked):
    said: list[str] = []
    PretrainedPainter(
        Folder.open(base),
        SamplingOverrides(**asked),
        loras=[adapters.parse([str(loras["first frame"])])],
        log=said.append,
    )
    assert len(said) == 1


def test_in_another_dialect_a_lora_says_the_same_of_pictures(loras, tmp_path):
    target = tmp_path / "lora.safetensors"
    conversion.convert(loras["first frame"], target, "diffusers", changes=conversion.Changes())
    assert lora_files.read(target, lora_files.own_shapes(load_file(target))).first_frame


def test_a_lora_for_one_of_two_experts_must_not_widen_it_alone(base, loras, tmp_path):
    pipeline = tiny_wan.pipeline("wan21_t2v")
    experts = WanPipeline(
        **{name: getattr(pipeline, name) for name in ("tokenizer", "text_encoder", "vae")},
        scheduler=pipeline.scheduler,
        transformer=pipeline.transformer,
        transformer_2=pipeline.transformer,
        boundary_ratio=0.9,
    )
    folder = tiny_wan.save(experts, tmp_path / "experts")
    with pytest.raises(UserError, match="would take 4 and 12 channels"):
        merge(folder, tmp_path / "merged", loras["concatenated"])
    assert not (tmp_path / "merged").exists()
    with pytest.raises(UserError, match="other channels than each other"):
        PretrainedPainter(
            Folder.open(folder),
            SamplingOverrides(),
            loras=[adapters.parse([str(loras["concatenated"])])],
        )


def test_other_channels_than_those_of_a_picture_are_refused(base, tmp_path):
    tensors = {
        "diffusion_model.patch_embedding.diff": torch.ones(24, 8, 1, 2, 2),
    }
    save_file(tensors, tmp_path / "control.safetensors")
    named = adapters.parse([str(tmp_path / "control.safetensors")])
    with pytest.raises(UserError, match=r"of 8 channels .* latents of 4: 4 or 12 would"):
        PretrainedPainter(Folder.open(base), SamplingOverrides(), loras=[named])
