"""Published models in miniature: diffusers' pipelines of every kind, with random weights."""

import pathlib

import numpy as np
import PIL.Image
import torch
import transformers
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from safetensors.torch import save_file

from tests.text import wan_text

_TEXT_DIM = 16
_IMAGE_DIM = 8
_VAE = {
    "wan21": {
        "z_dim": 4,
        "latents_mean": [-0.7, 0.1, 0.3, 0],
        "latents_std": [2.8, 1.4, 0.5, 1],
    },
    "wan22": {
        "decoder_base_dim": 8,
        "z_dim": 6,
        "latents_mean": [-0.2, 0, -0.1, 0.2, 0.1, 0.3],
        "latents_std": [0.4, 1, 0.5, 1.1, 0.6, 0.7],
        "is_residual": True,
        "patch_size": 2,
        "in_channels": 12,
        "out_channels": 12,
        "scale_factor_spatial": 16,
    },
}

KINDS = ("wan21_i2v", "wan22_ti2v", "wan22_i2v_a14b", "wan21_t2v")


def pipeline(kind: str) -> WanImageToVideoPipeline:
    """A pipeline of a kind: of the same parts and settings as the published one."""
    torch.manual_seed(KINDS.index(kind))
    first_frame = kind in ("wan22_ti2v", "wan21_t2v")
    with_clip, experts = kind == "wan21_i2v", 2 if kind == "wan22_i2v_a14b" else 1
    vae = _vae("wan22" if kind == "wan22_ti2v" else "wan21")
    z = vae.config.z_dim
    made = [_transformer(z if first_frame else 2 * z + 4, z, with_clip) for _ in range(experts)]
    pipe = WanImageToVideoPipeline(
        tokenizer=wan_text.tokenizer(),
        text_encoder=_text_encoder(),
        vae=vae,
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        image_processor=transformers.CLIPImageProcessorPil(crop_size=28, size=28)
        if with_clip
        else None,
        image_encoder=_image_encoder() if with_clip else None,
        transformer=made[0],
        transformer_2=made[1] if experts == 2 else None,
        boundary_ratio=0.9 if experts == 2 else None,
        expand_timesteps=kind == "wan22_ti2v",
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _random(model: torch.nn.Module) -> torch.nn.Module:
    """Norm weights and biases away from their neutral start, so that a missing one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def _vae(kind: str) -> AutoencoderKLWan:
    return _random(AutoencoderKLWan(base_dim=4, num_res_blocks=1, **_VAE[kind]))


def _transformer(in_channels: int, out_channels: int, with_clip: bool) -> WanTransformer3DModel:
    return _random(
        WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=in_channels,
            out_channels=out_channels,
            text_dim=_TEXT_DIM,
            freq_dim=32,
            ffn_dim=32,
            num_layers=2,
            cross_attn_norm=True,
            image_dim=_IMAGE_DIM if with_clip else None,
            added_kv_proj_dim=24 if with_clip else None,
        )
    )


def _text_encoder() -> transformers.UMT5EncoderModel:
    return _random(
        transformers.UMT5EncoderModel(
            transformers.UMT5Config(
                vocab_size=32,
                d_model=_TEXT_DIM,
                d_kv=8,
                d_ff=20,
                num_layers=2,
                num_heads=2,
                relative_attention_num_buckets=8,
            )
        )
    )


def _image_encoder() -> transformers.CLIPVisionModel:
    # Wan's transformer takes 257 tokens of a picture.
    return _random(
        transformers.CLIPVisionModel(
            transformers.CLIPVisionConfig(
                hidden_size=_IMAGE_DIM,
                num_hidden_layers=3,
                num_attention_heads=2,
                intermediate_size=12,
                image_size=28,
                patch_size=14,
                hidden_act="gelu",
            )
        )
    )


def picture(height: int, width: int) -> np.ndarray:
    """uint8[H, W, 3]: colours that run into each other, with an edge."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5), np.cos(y / 4), np.sin((x + y) / 7)], -1)
    shown = 127.5 * (1 + waves)
    shown[height // 3 :, : width // 2] *= 0.3
    return shown.astype(np.uint8)


def noise(pipe, frames: int, height: int, width: int) -> np.ndarray:
    """Start latents in the layout of diffusers' argument."""
    spatial, z = pipe.vae_scale_factor_spatial, pipe.vae.config.z_dim
    shape = (1, z, (frames - 1) // 4 + 1, height // spatial, width // spatial)
    return np.random.default_rng(frames).normal(size=shape).astype(np.float32)


def euler(shift: float) -> FlowMatchEulerDiscreteScheduler:
    """diffusers' scheduler for our sampler `euler`."""
    return FlowMatchEulerDiscreteScheduler(shift=shift)


def encode(pipe, video_THWC: np.ndarray) -> torch.Tensor:
    """Normalised latents of a video, uint8, in diffusers' layout."""
    video_BCTHW = torch.from_numpy(video_THWC).permute(3, 0, 1, 2)[None] / 127.5 - 1
    with torch.no_grad():
        latents = pipe.vae.encode(video_BCTHW).latent_dist.mode()
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1, 1)
        for values in (pipe.vae.config.latents_mean, pipe.vae.config.latents_std)
    )
    return (latents - mean) / std


def paint(pipe, picture_HWC: np.ndarray, noise_BCTHW: np.ndarray, frames: int, **asked):
    """diffusers' frames, float32[T, H, W, 3] in [0, 1] in painted order."""
    height, width = picture_HWC.shape[:2]
    with torch.no_grad():
        made = pipe(
            image=PIL.Image.fromarray(picture_HWC),
            height=height,
            width=width,
            num_frames=frames,
            latents=torch.from_numpy(noise_BCTHW),
            output_type="np",
            **asked,
        )
    return np.asarray(made.frames)[0, ::-1]


def save(pipe, folder: pathlib.Path) -> pathlib.Path:
    """The pipeline as a folder on disk."""
    pipe.save_pretrained(folder)
    return folder


def write_lora(path: pathlib.Path, seed: int) -> pathlib.Path:
    """A LoRA on the attention and the feed-forward of every block, in diffusers' keys."""
    rng = torch.Generator().manual_seed(seed)
    tensors = {}
    for block in range(2):
        for name, inputs, outputs in (
            *[(f"attn{n}.to_{x}", 24, 24) for n in (1, 2) for x in ("q", "k", "v", "out.0")],
            ("ffn.net.0.proj", 24, 32),
            ("ffn.net.2", 32, 24),
        ):
            key = f"transformer.blocks.{block}.{name}"
            tensors[f"{key}.lora_A.weight"] = 0.3 * torch.randn(3, inputs, generator=rng)
            tensors[f"{key}.lora_B.weight"] = 0.3 * torch.randn(outputs, 3, generator=rng)
    save_file(tensors, path)
    return path
