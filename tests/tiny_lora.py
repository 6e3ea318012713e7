"""A tiny Wan transformer here and in diffusers, and LoRA files for it in every dialect."""

import copy
import json
import pathlib

import numpy as np
import torch
from diffusers import WanPipeline
from safetensors.torch import save_file

from painting_jax.models.wan import transformer as wan

CONFIG = wan.WanConfig(
    dim=24,
    layers=2,
    heads=2,
    ffn_dim=32,
    in_channels=4,
    out_channels=4,
    text_dim=16,
    image_dim=8,
    freq_dim=32,
)
# diffusers' names in a block, the original ones, and the layers' inputs and outputs.
NAMES = {
    **{
        f"attn{n}.{theirs}": (f"{original}_attn.{short}", 24, 24)
        for n, original in ((1, "self"), (2, "cross"))
        for theirs, short in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "o"))
    },
    "attn2.add_k_proj": ("cross_attn.k_img", 24, 24),
    "attn2.add_v_proj": ("cross_attn.v_img", 24, 24),
    "ffn.net.0.proj": ("ffn.0", 24, 32),
    "ffn.net.2": ("ffn.2", 32, 24),
}

Pairs = dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]]


def pairs(seed: int, rank: int = 3) -> Pairs:
    """Down and up matrices of every layer, the feed-forward's of a higher rank."""
    torch.manual_seed(seed)
    result = {}
    for block in range(CONFIG.layers):
        for name, (_, inputs, outputs) in NAMES.items():
            r = rank + 2 if name.startswith("ffn") else rank
            result[block, name] = 0.3 * torch.randn(r, inputs), 0.3 * torch.randn(outputs, r)
    return result


def write(
    path: pathlib.Path,
    factors: Pairs,
    key: str,
    parts: tuple[str, str] = ("lora_A", "lora_B"),
    alpha: float | None = None,
    extra: dict[str, torch.Tensor] | None = None,
    settings: dict | None = None,
) -> str:
    """Writes a LoRA file.

    Args:
      path: of the file.
      factors: of the layers.
      key: of a layer, with {block}, {theirs} or {original}, or {flat_theirs} or {flat} for
        underscores.
      parts: what the down and the up matrix are called.
      alpha: of every layer.
      extra: further tensors.
      settings: PEFT's, for the header.
    """
    tensors = dict(extra or {})
    for (block, theirs), (down, up) in factors.items():
        original = NAMES[theirs][0]
        name = key.format(
            block=block,
            theirs=theirs,
            original=original,
            flat=original.replace(".", "_"),
            flat_theirs=theirs.replace(".", "_"),
        )
        tensors[f"{name}.{parts[0]}.weight"] = down.contiguous()
        tensors[f"{name}.{parts[1]}.weight"] = up.contiguous()
        if alpha is not None:
            tensors[f"{name}.alpha"] = torch.tensor(alpha)
    header = {"format": "pt"}
    if settings:
        header["lora_adapter_metadata"] = json.dumps(
            {f"transformer.{k}": v for k, v in settings.items()}
        )
    save_file(tensors, path, metadata=header)
    return str(path)


DIFFUSERS = "transformer.blocks.{block}.{theirs}"
COMFYUI = "diffusion_model.blocks.{block}.{original}"
DIFFSYNTH = "blocks.{block}.{original}"
MUSUBI = "lora_unet_blocks_{block}_{flat}"


def inputs(batch: int = 2, length: int = 2) -> dict[str, np.ndarray]:
    """Arguments of our transformer: videos of a few latent frames that are not square."""
    rng = np.random.default_rng(0)
    arrays = {
        "latents_BTHWC": rng.normal(size=(batch, length, 4, 6, CONFIG.in_channels)),
        "timestep_BF": np.linspace(100, 900, batch)[:, None],
        # Beside image tokens diffusers takes no other length of text.
        "text_BLD": rng.normal(size=(batch, 512, CONFIG.text_dim)),
        "image_BLD": rng.normal(size=(batch, 5, CONFIG.image_dim)),
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def reference_forward(transformer, **sizes) -> torch.Tensor:
    """diffusers' output in our layout; sizes as of `inputs`."""
    given = {name: torch.from_numpy(array) for name, array in inputs(**sizes).items()}
    return transformer(
        hidden_states=given["latents_BTHWC"].permute(0, 4, 1, 2, 3),
        timestep=given["timestep_BF"][:, 0],
        encoder_hidden_states=given["text_BLD"],
        encoder_hidden_states_image=given["image_BLD"],
    ).sample.permute(0, 2, 3, 4, 1)


def with_loras(transformer, weighted: list[tuple[str, float]]):
    """A copy of diffusers' transformer with LoRA files loaded and weighted by diffusers itself."""
    pipeline = WanPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=None,
        scheduler=None,
        transformer=copy.deepcopy(transformer),
    )
    names = [f"lora{i}" for i in range(len(weighted))]
    for name, (path, _) in zip(names, weighted, strict=True):
        pipeline.load_lora_weights(path, adapter_name=name)
    pipeline.set_adapters(names, [weight for _, weight in weighted])
    return pipeline.transformer.eval()
