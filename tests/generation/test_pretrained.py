"""A prompt and a picture to frames, against diffusers' pipelines with the same weights."""

import pathlib

import jax
import numpy as np
import pytest
import torch

from painting_jax.checkpoints import adapters
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.data.subjects import Subject
from painting_jax.generation.devices import Devices
from painting_jax.generation.job import Job, Painted
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.sharding.mesh import make_mesh
from tests import tiny_wan

PROMPT = {"prompt": "a cat paints in oil", "negative_prompt": "slowly"}


class Kind:
    """A pipeline of diffusers and the folder that it was saved to."""

    def __init__(self, kind: str, root: pathlib.Path):
        self.theirs = tiny_wan.pipeline(kind)
        self.folder = tiny_wan.save(self.theirs, root / kind)
        self.cache = root / "embeddings"

    def painter(self, *, devices: int = 1, **changes) -> PretrainedPainter:
        options = {
            name: changes.pop(name) for name in ("loras", "keep_apart", "files") if name in changes
        }
        mesh = make_mesh(
            {"data": 1, "fsdp": 1, "tensor": -1, "sequence": 1}, jax.devices()[:devices]
        )
        return PretrainedPainter(
            Folder.open(self.folder),
            SamplingOverrides(**(PROMPT | changes)),
            devices=Devices(mesh),
            cache=str(self.cache),
            log=lambda line: None,
            **options,
        )


def job(picture_HWC: np.ndarray, medium: str = "oil") -> Job:
    return Job(Subject("waves", "waves.png", lambda: (picture_HWC, None)), medium, pathlib.Path())


def painted(painter: PretrainedPainter, picture_HWC: np.ndarray) -> Painted:
    (result,) = painter.generate([job(picture_HWC)])
    return result


def assert_close(raw_THWC: np.ndarray, expected_THWC: np.ndarray) -> None:
    assert raw_THWC.shape == expected_THWC.shape
    # That there is something to compare: a video that changes over time.
    assert np.abs(np.diff(expected_THWC, axis=0)).max() > 0.1
    error = np.abs(raw_THWC - expected_THWC).max() / np.abs(expected_THWC).max()
    assert error < 1e-3


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Kinds of models by name, each made once."""
    root, made = tmp_path_factory.mktemp("published"), {}

    def kind(name: str) -> Kind:
        if name not in made:
            made[name] = Kind(name, root)
        return made[name]

    return kind


def test_ti2v_paints_what_diffusers_paints(kinds):
    kind = kinds("wan22_ti2v")
    picture, frames = tiny_wan.picture(64, 32), 13
    noise = tiny_wan.noise(kind.theirs, frames, 64, 32)
    asked = {"guidance_scale": 3.0, "num_inference_steps": 4}
    expected = tiny_wan.paint(kind.theirs, picture, noise, frames, **PROMPT, **asked)
    painter = kind.painter(
        guidance=3.0, steps=4, frames=frames, height=64, width=32, noise_BCTHW=noise
    )
    result = painted(painter, picture)
    assert_close(result.raw_THWC, expected)
    # The picture itself, which the model's video begins with, was not painted.
    assert len(result.frames_THWC) == frames - 1
    np.testing.assert_allclose(result.frames_THWC / 255, result.raw_THWC[:-1], atol=3e-3)


def test_a_canvas_is_held_as_in_diffusers_with_its_latents_put_back_after_each_step(kinds):
    kind = kinds("wan21_i2v")
    picture, canvas, frames = tiny_wan.picture(32, 48), 255 - tiny_wan.picture(32, 48), 9
    noise = tiny_wan.noise(kind.theirs, frames, 32, 48)
    last = tiny_wan.encode(kind.theirs, np.repeat(canvas[None], 9, axis=0))[:, :, -1]

    def put_back(pipe, step, timestep, given):
        sigma = pipe.scheduler.sigmas[step + 1]
        given["latents"][:, :, -1] = (1 - sigma) * last + sigma * torch.from_numpy(noise[:, :, -1])
        return given

    asked = {"guidance_scale": 3.0, "num_inference_steps": 4, "callback_on_step_end": put_back}
    scheduler, kind.theirs.scheduler = kind.theirs.scheduler, tiny_wan.euler(shift=3.0)
    expected = tiny_wan.paint(kind.theirs, picture, noise, frames, **PROMPT, **asked)
    kind.theirs.scheduler = scheduler
    wishes = {"guidance": 3.0, "steps": 4, "frames": frames, "height": 32, "width": 48}
    wishes |= {"sampler": "euler", "shift": 3.0, "noise_BCTHW": noise}
    result = painted(kind.painter(**wishes, canvas_HWC=canvas, canvas_progress=0.4), picture)
    assert_close(result.raw_THWC, expected)
    assert result.parameters["goes_on_from_a_canvas"]
    np.testing.assert_allclose(result.progress_T[[0, -1]], [0.4, 1])
    fresh = painted(kind.painter(**wishes), picture)
    assert np.abs(fresh.raw_THWC - expected).max() > 0.1


def test_two_experts_paint_what_diffusers_paints_of_a_prompt_cut_to_512_tokens(kinds):
    kind = kinds("wan22_i2v_a14b")
    frames, noise = 5, tiny_wan.noise(kind.theirs, 5, 32, 48)
    pictures = [tiny_wan.picture(32, 48), 255 - tiny_wan.picture(32, 48)]
    prompts = {"prompt": "a cat paints slowly in oil " * 100, "negative_prompt": ""}
    asked = {"guidance_scale": 3.0, "guidance_scale_2": 2.0, "num_inference_steps": 5}
    wishes = {
        "guidance": 3.0,
        "guidance_2": 2.0,
        "steps": 5,
        "frames": frames,
        "sequential_guidance": True,
    }
    # Laid out on two devices, so that a layout that changes the numbers would show.
    painter = kind.painter(devices=2, height=32, width=48, noise_BCTHW=noise, **prompts, **wishes)
    # Both pictures wait for the second expert while the first paints.
    results = painter.generate([job(picture) for picture in pictures])
    for result, picture in zip(results, pictures, strict=True):
        expected = tiny_wan.paint(kind.theirs, picture, noise, frames, **prompts, **asked)
        assert_close(result.raw_THWC, expected)
        assert len(result.frames_THWC) == frames


def test_stacked_loras_paint_what_diffusers_paints_with_both_set(kinds, tmp_path):
    kind = kinds("wan21_t2v")
    picture, frames = tiny_wan.picture(32, 48), 5
    noise = tiny_wan.noise(kind.theirs, frames, 32, 48)
    files = [tiny_wan.write_lora(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2)]
    weights = [1.0, 0.7]
    # A text-to-video model fine-tuned here takes the picture as its first frame.
    kind.theirs.register_to_config(expand_timesteps=True)
    for name, file in zip("ab", files, strict=True):
        kind.theirs.load_lora_weights(str(file), adapter_name=name)
    asked = {"guidance_scale": 1.0, "num_inference_steps": 3}
    kind.theirs.set_adapters(["a"], [0.0])
    plain = tiny_wan.paint(kind.theirs, picture, noise, frames, **PROMPT, **asked)
    kind.theirs.set_adapters(["a", "b"], weights)
    expected = tiny_wan.paint(kind.theirs, picture, noise, frames, **PROMPT, **asked)
    assert np.abs(plain - expected).max() > 0.05
    wishes = {"guidance": 1.0, "steps": 3, "frames": frames, "height": 32, "width": 48}
    for apart in (False, True):
        painter = kind.painter(
            **wishes,
            noise_BCTHW=noise,
            loras=[adapters.parse([f"{files[0]}:1.0,{files[1]}:0.7"])],
            keep_apart=apart,
        )
        assert_close(painted(painter, picture).raw_THWC, expected)
        assert painter.label == "wan21_t2v + 1 + 2:0.7"
