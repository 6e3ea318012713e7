"""Published weights from one layout to another, tensor by tensor.

A tensor is read from its file when it is about to be written: no model is ever whole in memory.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import jax
import numpy as np
from flax import nnx

from painting_jax.checkpoints.key_matching import Placement, account, fitting
from painting_jax.checkpoints.load import flat
from painting_jax.checkpoints.safetensors_file import Pending
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.clip import params as clip
from painting_jax.models.clip.modeling import CLIPVision
from painting_jax.models.lora import Lora, Target, kernels
from painting_jax.models.published_config import is_among
from painting_jax.models.tensor_names import NOTHING, Spelling, Table, spellings
from painting_jax.models.umt5 import params as umt5
from painting_jax.models.umt5.modeling import UMT5Encoder
from painting_jax.models.wan import params as wan
from painting_jax.models.wan import vae_params as wan_vae
from painting_jax.models.wan.transformer import WanTransformer
from painting_jax.models.wan.vae import WanVAE

Layout = Literal["diffusers", "comfyui"]
Weighted = Sequence[tuple[Lora, float]]

_COMPONENTS = {
    "WanTransformer3DModel": "transformer",
    "AutoencoderKLWan": "vae",
    "umt5": "text_encoder",
    "clip_vision_model": "image_encoder",
}
_AUTOENCODER = re.compile(r"(encoder|decoder)\.(conv1|conv_in)\.weight")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What is known of a component before any tensor is read.

    Attributes:
      component: its folder's name in a pipeline.
      shapes: of our parameters, by path.
      kernels: shapes of the linear layers that LoRAs can change, by path.
      tables: of the names in each layout that it is published in.
      config: of diffusers' or transformers' config.json.
      stem: of the names of its files.
      float32: regex of our paths that are not made less precise.
    """

    component: str
    shapes: Mapping[str, jax.ShapeDtypeStruct]
    kernels: Mapping[str, tuple[int, ...]]
    tables: Mapping[Layout, Table]
    config: Mapping
    stem: str = "diffusion_pytorch_model"
    float32: str = NOTHING


def component_of(source: Source) -> str:
    """The folder in a model that weights belong to, by their config.json or else their tensors.

    Raises:
      UserError: if they are no part of a Wan model.
    """
    if not source.config:
        autoencoder = any(map(_AUTOENCODER.fullmatch, source.tensors))
        return "vae" if autoencoder else "transformer"
    kind = source.config.get("_class_name") or source.config.get("model_type")
    if not is_among(kind, _COMPONENTS):
        raise UserError(f"{source.name} is a {kind}: {', '.join(_COMPONENTS)} can be converted")
    return _COMPONENTS[kind]


def architecture(source: Source) -> Architecture:
    """Finds out what a component is; errors as of `component_of`, or if a size is missing."""
    return _READERS[component_of(source)](source)


def _transformer(source: Source) -> Architecture:
    config = wan.wan_config(source)
    model = nnx.eval_shape(lambda: WanTransformer(config, rngs=nnx.Rngs(0)))
    return Architecture(
        "transformer",
        _shapes(model),
        kernels(model),
        {"diffusers": wan.DIFFUSERS, "comfyui": wan.ORIGINAL},
        source.config or wan.diffusers_config(config),
        float32=wan.FLOAT32,
    )


def _autoencoder(source: Source) -> Architecture:
    config = wan_vae.wan_vae_config(source)
    return Architecture(
        "vae",
        _shapes(nnx.eval_shape(lambda: WanVAE(config))),
        {},
        {"diffusers": wan_vae.diffusers(config), "comfyui": wan_vae.original(config)},
        source.config or wan_vae.diffusers_config(config),
    )


def _text_encoder(source: Source) -> Architecture:
    config = umt5.config(source.config)
    model = nnx.eval_shape(lambda: UMT5Encoder(config, rngs=nnx.Rngs(0)))
    tables = {"diffusers": umt5.TABLE}
    return Architecture("text_encoder", _shapes(model), {}, tables, source.config, "model")


def _image_encoder(source: Source) -> Architecture:
    config = clip.config(source.config)
    model = nnx.eval_shape(lambda: CLIPVision(config, rngs=nnx.Rngs(0)))
    tables = {"diffusers": clip.TABLE}
    return Architecture("image_encoder", _shapes(model), {}, tables, source.config, "model")


_READERS: dict[str, Callable[[Source], Architecture]] = {
    "transformer": _transformer,
    "vae": _autoencoder,
    "text_encoder": _text_encoder,
    "image_encoder": _image_encoder,
}


def _shapes(model: nnx.Module) -> dict[str, jax.ShapeDtypeStruct]:
    return flat(nnx.to_pure_dict(nnx.state(model, nnx.Param)))


def check(source: Source) -> None:
    """Checks that a component is whole, by its headers alone; errors as of `translate`."""
    kind = architecture(source)
    account(source, kind.shapes, list(kind.tables.values()))


def translate(
    source: Source,
    architecture: Architecture,
    layout: Layout,
    *,
    dtype: np.dtype | None = None,
    loras: Weighted = (),
) -> dict[str, Pending]:
    """The tensors of a component under the names of a layout, sorted by name.

    Args:
      source: of the weights.
      architecture: of the source.
      layout: to translate to; tensors that have it already keep their names.
      dtype: of the tensors, but for those that `Architecture.float32` names; None = as they are.
      loras: LoRAs that fit, and how much each counts: they are added, in float32.

    Raises:
      UserError: if the source's tensors are not those of the architecture, naming all that do not
        fit, or if it is not published in this layout.
    """
    if layout not in architecture.tables:
        raise UserError(
            f"{source.name}: a {architecture.component} has no layout of its own for {layout}, "
            f"use it as it is"
        )
    own, target = fitting(source, list(architecture.tables.values())), architecture.tables[layout]
    spelled = spellings(target)
    names = {tensor: name for name, tensor in source.tensors.items()}
    result = {}
    for placement in account(source, architecture.shapes, [own]):
        tensor, (path, layer), _ = placement
        spelling = spelled[path]
        shape = architecture.shapes[path].shape
        lowered = dtype is not None and np.dtype(dtype).itemsize < tensor.dtype.itemsize
        kept = dtype is None or (lowered and re.search(architecture.float32, path))
        name = names[tensor] if own is target else spelling.of(layer)
        result[name] = Pending(
            tensor.dtype if kept else np.dtype(dtype),
            spelling.transform.their_shape(shape if layer is None else shape[1:]),
            functools.partial(_translated, placement, spelling, loras),
        )
    return dict(sorted(result.items()))


def _translated(placement: Placement, spelling: Spelling, loras: Weighted) -> np.ndarray:
    ours = placement.transform.ours(placement.tensor.view())
    linear, _, part = placement.slot.path.rpartition("/")
    for lora, weight in loras:
        factors = lora.get(Target(linear, placement.slot.layer))
        if factors is None:
            continue
        if part == "kernel":
            change = factors.scale * (factors.a_IR @ factors.b_RO)
        elif factors.bias_O is not None:
            change = factors.bias_O
        else:
            continue
        ours = ours.astype(np.float32) + weight * change.astype(np.float32)
    return spelling.transform.theirs(ours)
