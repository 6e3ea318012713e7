"""A diffusers folder with random weights, to try out code for published models on a laptop.

The transformer has the requested sizes. All other components are tiny, but have the published
architecture, latents and files.
"""

import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from painting_jax.checkpoints.diffusers_folder import TRANSFORMERS
from painting_jax.checkpoints.save import save_folder
from painting_jax.files import folder_written_beside
from painting_jax.models.clip import modeling as clip_model
from painting_jax.models.clip import params as clip
from painting_jax.models.clip.modeling import CLIPVision, CLIPVisionConfig
from painting_jax.models.umt5 import params as umt5
from painting_jax.models.umt5.modeling import UMT5Config, UMT5Encoder
from painting_jax.models.wan import params as wan
from painting_jax.models.wan import vae as wan_vae
from painting_jax.models.wan import vae_params as vae_names
from painting_jax.models.wan.transformer import WanConfig, WanTransformer
from painting_jax.models.wan.vae import WanVAE

# File by which the folder is known to be whole.
INDEX = "model_index.json"
_DEVIATION = 0.02  # of parameters outside of linear layers and norms, such as embedding tables


class Tokenizer(Protocol):
    """A tokenizer that can be saved in transformers' layout.

    Attributes:
      vocabulary_size: number of token ids.
    """

    vocabulary_size: int

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the folder."""
        ...


def write(
    folder: str | os.PathLike,
    family: str,
    transformer: WanConfig,
    *,
    tokenizer: Tokenizer,
    seed: int,
    shift: float = 3.0,
    boundary: float | None = None,
) -> None:
    """Writes the folder beside its destination and renames it.

    Args:
      folder: folder to create.
      family: family of the autoencoder, a key of `wan_vae.SIZES`.
      transformer: sizes of the transformer.
      tokenizer: tokenizer of the text encoder.
      seed: seed of the weights.
      shift: shift of the noise levels in sampling.
      boundary: noise level, 0..1, below which a second transformer is used; None = there is one.
    """
    vae = dataclasses.replace(
        wan_vae.SIZES[family], encoder_dim=4, decoder_dim=8 if family == "wan22" else 4, depth=1
    )
    encoder = UMT5Config(tokenizer.vocabulary_size, transformer.text_dim, 1, 2, 8, 32)
    with folder_written_beside(folder, last=INDEX) as unfinished:
        names = TRANSFORMERS[:1] if boundary is None else TRANSFORMERS
        for name, own_seed in zip(names, (seed, seed + 4), strict=False):
            _component(
                unfinished / name,
                lambda: WanTransformer(transformer, rngs=nnx.Rngs(0)),
                wan.DIFFUSERS,
                wan.diffusers_config(transformer),
                own_seed,
            )
        _component(
            unfinished / "vae",
            lambda: WanVAE(vae),
            vae_names.diffusers(vae),
            vae_names.diffusers_config(vae),
            seed + 1,
        )
        _component(
            unfinished / "text_encoder",
            lambda: UMT5Encoder(encoder, rngs=nnx.Rngs(0)),
            umt5.TABLE,
            umt5.transformers_config(encoder),
            seed + 2,
            stem="model",
        )
        tokenizer.save(unfinished / "tokenizer")
        if transformer.image_dim:
            vision = CLIPVisionConfig(transformer.image_dim, 2, 2, 32, image_size=28)
            _component(
                unfinished / "image_encoder",
                lambda: CLIPVision(vision, rngs=nnx.Rngs(0)),
                clip.TABLE,
                _clip_json(vision),
                seed + 3,
                stem="model",
            )
            _json(
                unfinished / "image_processor" / "preprocessor_config.json",
                _clip_preprocessor(vision),
            )
        scheduler = _SCHEDULER | {"flow_shift": shift}
        _json(unfinished / "scheduler" / "scheduler_config.json", scheduler)
        _json(unfinished / INDEX, _index(family, transformer, boundary))


def random_params(make_model: Callable[[], nnx.Module], seed: int) -> dict:
    """Random parameters that preserve a signal's variance, drawn on the host without compiling."""
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        name = path[-1].key
        if name in ("scale", "gamma"):
            return jnp.ones(leaf.shape)
        if name == "bias":
            return jnp.zeros(leaf.shape)
        deviation = _DEVIATION
        if name == "kernel":
            # The leading axes of a convolution are its taps. A stack of linear layers has a leading
            # axis, too, of layers.
            taps = leaf.shape[:-2] if len(leaf.shape) > 3 else ()
            deviation = 1 / math.sqrt(math.prod(taps) * leaf.shape[-2])
        return jnp.asarray(rng.normal(scale=deviation, size=leaf.shape), jnp.float32)

    shapes = nnx.to_pure_dict(nnx.state(nnx.eval_shape(make_model), nnx.Param))
    return jax.tree_util.tree_map_with_path(draw, shapes)


def _component(folder, make_model, table, config: dict, seed: int, **options) -> None:
    save_folder(random_params(make_model, seed), folder, table, config, **options)


def _json(path: pathlib.Path, content: dict) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


_SCHEDULER = {
    "_class_name": "UniPCMultistepScheduler",
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
    "num_train_timesteps": 1000,
}


def _index(family: str, transformer: WanConfig, boundary: float | None) -> dict:
    both = transformer.in_channels == transformer.out_channels
    index: dict[str, object] = {
        "_class_name": "WanPipeline" if both and family == "wan21" else "WanImageToVideoPipeline",
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLWan"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
    }
    if family == "wan22":
        index["expand_timesteps"] = True
    if boundary is not None:
        index["transformer_2"] = index["transformer"]
        index["boundary_ratio"] = boundary
    if transformer.image_dim:
        index["image_encoder"] = ["transformers", "CLIPVisionModel"]
        index["image_processor"] = ["transformers", "CLIPImageProcessor"]
    return index


def _clip_json(config: CLIPVisionConfig) -> dict:
    return {
        "architectures": ["CLIPVisionModel"],
        "model_type": "clip_vision_model",
        "hidden_size": config.dim,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.ffn_dim,
        "image_size": config.image_size,
        "patch_size": config.patch,
        "hidden_act": config.activation,
        "layer_norm_eps": 1e-5,
    }


def _clip_preprocessor(config: CLIPVisionConfig) -> dict:
    """The config of transformers for the steps of `models.clip.preprocess`."""
    return {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": config.image_size},
        "crop_size": {"height": config.image_size, "width": config.image_size},
        "resample": 3,
        "image_mean": clip_model.MEAN.tolist(),
        "image_std": clip_model.STD.tolist(),
    }
