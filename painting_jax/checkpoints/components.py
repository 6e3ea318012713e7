"""The components of a published model: what they are, and loading them onto the mesh."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float, UInt8

from painting_jax.checkpoints.diffusers_folder import Expert, Folder
from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.load import flat, load_params
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.clip import params as clip
from painting_jax.models.clip.modeling import CLIPVision, preprocess
from painting_jax.models.lora import kernels
from painting_jax.models.published_config import is_among
from painting_jax.models.tensor_names import NOTHING, Table
from painting_jax.models.umt5 import params as umt5
from painting_jax.models.umt5.modeling import UMT5Encoder
from painting_jax.models.wan import params as wan
from painting_jax.models.wan import params as wan_config
from painting_jax.models.wan import vae_params as wan_vae
from painting_jax.models.wan.transformer import WanConfig, WanTransformer
from painting_jax.models.wan.vae import WanVAE

Layout = Literal["diffusers", "comfyui"]

_COMPONENTS = {
    "WanTransformer3DModel": "transformer",
    "AutoencoderKLWan": "vae",
    "umt5": "text_encoder",
    "clip_vision_model": "image_encoder",
}
_AUTOENCODER = re.compile(r"(encoder|decoder)\.(conv1|conv_in)\.weight")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The module of a component and its published form.

    Attributes:
      component: name of its folder in a model.
      make_model: makes the module, which computes in the dtype that it is given.
      tables: tables of tensor names, for each layout that the component is published in.
      config: content of its config.json.
      stem: stem of its files' names.
      float32: regex of our paths that conversion does not make less precise.
    """

    component: str
    make_model: Callable[[Any], nnx.Module]
    tables: Mapping[Layout, Table]
    config: Mapping
    stem: str = "diffusion_pytorch_model"
    float32: str = NOTHING

    @functools.cached_property
    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """The shapes of our parameters by path."""
        return flat(nnx.to_pure_dict(nnx.state(self._abstract, nnx.Param)))

    @functools.cached_property
    def kernels(self) -> dict[str, tuple[int, ...]]:
        """The kernel shapes of the linear layers that LoRAs can change, by path."""
        return kernels(self._abstract) if self.component == "transformer" else {}

    @functools.cached_property
    def _abstract(self) -> nnx.Module:
        return nnx.eval_shape(lambda: self.make_model(jnp.float32))


def component_of(source: Source) -> str:
    """The folder that weights have in a model, by their config.json or else their tensors.

    Raises:
      UserError: if they are not part of a Wan model.
    """
    if not source.config:
        autoencoder = any(map(_AUTOENCODER.fullmatch, source.tensors))
        return "vae" if autoencoder else "transformer"
    kind = source.config.get("_class_name") or source.config.get("model_type")
    if not is_among(kind, _COMPONENTS):
        raise UserError(f"{source.name} is a {kind}: {', '.join(_COMPONENTS)} can be converted")
    return _COMPONENTS[kind]


def architecture(source: Source) -> Architecture:
    """The architecture of weights; errors as of `component_of`, or if a size is missing."""
    return _ARCHITECTURES[component_of(source)](source)


def check(source: Source) -> None:
    """Checks by the headers alone that all tensors of a component are there and fit.

    Errors as of `architecture` and `match_tensors`.
    """
    found = architecture(source)
    match_tensors(source, found.shapes, list(found.tables.values()))


def _transformer(source: Source) -> Architecture:
    config = wan_config.wan_config(source)
    return Architecture(
        "transformer",
        functools.partial(_make_transformer, config),
        {"diffusers": wan.DIFFUSERS, "comfyui": wan.ORIGINAL},
        source.config or wan_config.diffusers_config(config),
        float32=wan.FLOAT32,
    )


def _make_transformer(config: WanConfig, dtype) -> WanTransformer:
    return WanTransformer(config, rngs=nnx.Rngs(0), dtype=dtype, remat=False)


def _autoencoder(source: Source) -> Architecture:
    config = wan_vae.wan_vae_config(source)
    return Architecture(
        "vae",
        lambda dtype: WanVAE(config),
        {"diffusers": wan_vae.diffusers(config), "comfyui": wan_vae.original(config)},
        source.config or wan_vae.diffusers_config(config),
    )


def _text_encoder(source: Source) -> Architecture:
    config = umt5.config(source.config)
    return Architecture(
        "text_encoder",
        lambda dtype: UMT5Encoder(config, rngs=nnx.Rngs(0), dtype=dtype),
        {"diffusers": umt5.TABLE},
        source.config,
        "model",
    )


def _image_encoder(source: Source) -> Architecture:
    config = clip.config(source.config)
    return Architecture(
        "image_encoder",
        lambda dtype: CLIPVision(config, rngs=nnx.Rngs(0)),
        {"diffusers": clip.TABLE},
        source.config,
        "model",
    )


_ARCHITECTURES: dict[str, Callable[[Source], Architecture]] = {
    "transformer": _transformer,
    "vae": _autoencoder,
    "text_encoder": _text_encoder,
    "image_encoder": _image_encoder,
}


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model split as by `nnx.split`.

    The parameters can be arguments of compiled functions, and are freed with the last reference.

    Attributes:
      graph: the static part, hashable.
      params: a tree like `nnx.to_pure_dict(nnx.state(model, nnx.Param))`.
    """

    graph: Any
    params: dict

    def model(self, params: dict | None = None) -> Any:
        """The model with its own parameters, or with those of a compiled function's argument."""
        return nnx.merge(self.graph, self.params if params is None else params)


def load_transformer(expert: Expert, *, mesh: Mesh, dtype, added: str = NOTHING) -> Loaded:
    """Loads a transformer.

    Args:
      expert: the transformer. Its config may have conditions that the published model does not.
      mesh: mesh to lay it out on.
      dtype: dtype that it computes in and is kept in.
      added: regex of the paths of such conditions, as of `load_params`.
    """
    make_model, source = transformer_maker(expert, dtype), expert.source
    return _load(make_model, source, wan.RULES, mesh=mesh, dtype=dtype, added=added)


def transformer_maker(expert: Expert, dtype) -> Callable[[], WanTransformer]:
    """Makes an expert's transformer, for `nnx.eval_shape`."""
    return functools.partial(_make_transformer, expert.config, dtype)


def load_vae(source: Source, *, mesh: Mesh) -> Loaded:
    """Loads a video autoencoder, in float32: its errors are visible in every pixel."""
    return _load_published(_autoencoder(source), source, mesh, jnp.float32)


def load_text_encoder(folder: Folder, *, mesh: Mesh, dtype) -> UMT5Encoder:
    """Loads the text encoder."""
    source = folder.source("text_encoder")
    return _load_published(_text_encoder(source), source, mesh, dtype).model()


def load_image_encoder(folder: Folder, *, mesh: Mesh) -> Loaded:
    """Loads the CLIP image encoder, in float32 as Wan publishes it."""
    source = folder.source("image_encoder")
    return _load_published(_image_encoder(source), source, mesh, jnp.float32)


def _load_published(found: Architecture, source: Source, mesh: Mesh, dtype) -> Loaded:
    make_model = functools.partial(found.make_model, dtype)
    return _load(make_model, source, list(found.tables.values()), mesh=mesh, dtype=dtype)


def _load(make_model: Callable[[], nnx.Module], source: Source, tables, **options) -> Loaded:
    params = load_params(make_model, source, tables, float32=wan.FLOAT32, **options)
    return Loaded(nnx.graphdef(nnx.eval_shape(make_model)), params)


def image_tokens(
    encoder: Loaded, picture_HWC: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "1 l d"]:
    """The CLIP tokens of a picture of any size, as a transformer takes them."""
    pixels_BHWC = _preprocess(picture_HWC[None], encoder.model().config.image_size)
    return np.asarray(_tokens(encoder.graph, encoder.params, pixels_BHWC))


_preprocess = jax.jit(preprocess, static_argnums=1)


@functools.partial(jax.jit, static_argnums=0)
def _tokens(graph, params, pixels_BHWC) -> Float[Array, "b l d"]:
    return nnx.merge(graph, params)(pixels_BHWC)
