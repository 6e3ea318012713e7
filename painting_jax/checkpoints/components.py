"""The components of a published model, loaded onto the mesh and ready to be called.

Each is a pair of what is static and what is not (`Loaded`), so that the parameters can be arguments
of compiled functions, and are freed with the last reference to it.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float, UInt8

from painting_jax.checkpoints.diffusers_folder import Expert, Folder
from painting_jax.checkpoints.load import load_params
from painting_jax.checkpoints.source import Source
from painting_jax.models.clip import params as clip_names
from painting_jax.models.clip.modeling import CLIPVision, preprocess
from painting_jax.models.umt5 import params as umt5_names
from painting_jax.models.umt5.modeling import UMT5Encoder
from painting_jax.models.wan import params as wan_names
from painting_jax.models.wan import vae_params as vae_names
from painting_jax.models.wan.transformer import WanTransformer
from painting_jax.models.wan.vae import WanVAE, WanVAEConfig


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model taken apart.

    Attributes:
      graph: static and hashable.
      params: a tree as of `nnx.to_pure_dict(nnx.state(model, nnx.Param))`.
    """

    graph: Any
    params: dict

    def model(self, params: dict | None = None) -> Any:
        """The model, with parameters that a compiled function was given, or its own."""
        return nnx.merge(self.graph, self.params if params is None else params)


def load_transformer(expert: Expert, *, mesh: Mesh, dtype) -> Loaded:
    """Loads a transformer that computes in, and is kept in, `dtype`."""
    return _load(transformer_maker(expert, dtype), expert.source, wan_names.RULES, mesh, dtype)


def transformer_maker(expert: Expert, dtype) -> Callable[[], WanTransformer]:
    """Makes a transformer of an expert's sizes, for `nnx.eval_shape`."""
    return lambda: WanTransformer(expert.config, rngs=nnx.Rngs(0), dtype=dtype, remat=False)


def load_vae(source: Source, config: WanVAEConfig, *, mesh: Mesh) -> Loaded:
    """Loads a video autoencoder, in float32: its errors are seen in every pixel."""
    tables = vae_names.tables(config)
    return _load(lambda: WanVAE(config), source, tables, mesh, jnp.float32)


def load_text_encoder(folder: Folder, *, mesh: Mesh, dtype) -> UMT5Encoder:
    """Loads the text encoder."""
    source = folder.source("text_encoder")
    config = umt5_names.config(source.config)
    return _load(
        lambda: UMT5Encoder(config, rngs=nnx.Rngs(0), dtype=dtype),
        source,
        [umt5_names.TABLE],
        mesh,
        dtype,
    ).model()


def load_image_encoder(folder: Folder, *, mesh: Mesh) -> Loaded:
    """Loads the CLIP image encoder, in float32 as Wan is published with it."""
    source = folder.source("image_encoder")
    config = clip_names.config(source.config)
    return _load(
        lambda: CLIPVision(config, rngs=nnx.Rngs(0)), source, [clip_names.TABLE], mesh, jnp.float32
    )


def image_tokens(
    encoder: Loaded, picture_HWC: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "1 l d"]:
    """The tokens that a transformer takes of a picture of any size."""
    pixels_BHWC = _preprocess(picture_HWC[None], encoder.model().config.image_size)
    return np.asarray(_tokens(encoder.graph, encoder.params, pixels_BHWC))


_preprocess = jax.jit(preprocess, static_argnums=1)


@functools.partial(jax.jit, static_argnums=0)
def _tokens(graph, params, pixels_BHWC) -> Float[Array, "b l d"]:
    return nnx.merge(graph, params)(pixels_BHWC)


def _load(make_model: Callable, source: Source, tables, mesh: Mesh, dtype) -> Loaded:
    params = load_params(
        make_model, source, tables, mesh=mesh, dtype=dtype, float32=wan_names.FLOAT32
    )
    return Loaded(nnx.graphdef(nnx.eval_shape(make_model)), params)
