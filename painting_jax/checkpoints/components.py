"""The components of a published model: what they are, and loading them onto the mesh."""

import dataclasses
import functools
from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from painting_jax.checkpoints.diffusers_folder import Expert, Folder
from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.load import flat, load_params
from painting_jax.checkpoints.parts import component_of
from painting_jax.checkpoints.source import Source
from painting_jax.models.abstract import abstract
from painting_jax.models.family import Component, Layout, published_components
from painting_jax.models.lora import kernels
from painting_jax.models.tensor_names import Table
from painting_jax.sharding.attention import FASTEST, Strategy


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A component of given sizes.

    Attributes:
      component: Its kind.
      sizes: Its sizes.
      config: Content of its config.json.
    """

    component: Component
    sizes: Any
    config: Mapping

    @property
    def tables(self) -> Mapping[Layout, Table]:
        """Tables of tensor names, for each layout that it is published in."""
        return self.component.tables(self.sizes)

    @functools.cached_property
    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """The shapes of our parameters by path."""
        return flat(nnx.to_pure_dict(nnx.state(self._abstract, nnx.Param)))

    @functools.cached_property
    def kernels(self) -> dict[str, tuple[int, ...]]:
        """The kernel shapes of the linear layers that LoRAs can change, by path."""
        return kernels(self._abstract) if self.component.name == "transformer" else {}

    @functools.cached_property
    def other_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters outside of these layers that LoRAs can change, by path."""
        layers = tuple(f"{path}/" for path in self.kernels)
        return {
            path: leaf.shape
            for path, leaf in self.shapes.items()
            if self.kernels and not path.startswith(layers)
        }

    @functools.cached_property
    def _abstract(self) -> nnx.Module:
        return abstract(self.component.make, self.sizes, jnp.float32)


def architecture(source: Source, component: Component | None = None) -> Architecture:
    """The architecture of weights, by default of the component they seem to be.

    Errors as in `component_of`, or if a size is missing.
    """
    component = component or component_of(source)
    sizes = component.read_config(source)
    # Only the first kind's config.json is that of the layout that folders are written in.
    kept = source.config.get("_class_name", component.kinds[0]) == component.kinds[0]
    config = source.config if source.config and kept else {}
    if not config and component.to_json:
        config = component.to_json(sizes)
    return Architecture(component, sizes, config)


def check(source: Source) -> None:
    """Checks by the headers alone that all tensors of a component are there and fit.

    Errors as of `architecture` and `match_tensors`.
    """
    kind = architecture(source)
    match_tensors(source, kind.shapes, list(kind.tables.values()))


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


def load_component(
    source: Source,
    component: Component,
    sizes: Any,
    *,
    mesh: Mesh,
    dtype=jnp.float32,
    parts: Collection[str] | None = None,
    quantised: Collection[str] = (),
    **execution,
) -> Loaded:
    """Loads a component.

    Args:
      source: Its weights.
      component: Its kind.
      sizes: Its sizes.
      mesh: Mesh to lay it out on.
      dtype: Dtype that it computes in and is kept in, but for what `Component.float32` matches.
      parts: Names of its outermost parts to load; None = all.
      quantised: Paths of linear layers whose kernels are kept in int8 (`quantised_kernel`).
      **execution: How it is computed, for `Component.make`.
    """
    tables = list(component.tables(sizes).values())
    model = abstract(component.make, sizes, dtype, **execution)
    params = load_params(
        model,
        source,
        tables,
        mesh=mesh,
        dtype=dtype,
        float32=component.float32,
        parts=parts,
        quantised=quantised,
    )
    return Loaded(nnx.graphdef(model), params)


def load_transformer(
    expert: Expert,
    *,
    mesh: Mesh,
    dtype,
    strategy: Strategy = FASTEST,
    quantised: Collection[str] = (),
) -> Loaded:
    """Loads a transformer, whose attention is computed by a strategy; see `load_component`."""
    return load_component(
        expert.source,
        _named("transformer"),
        expert.config,
        mesh=mesh,
        dtype=dtype,
        strategy=strategy,
        quantised=quantised,
    )


def load_named(folder: Folder, name: str, *, mesh: Mesh, dtype=jnp.float32) -> Loaded:
    """Loads a component of a model by the name of its folder."""
    source, component = folder.source(name), _named(name)
    return load_component(source, component, component.read_config(source), mesh=mesh, dtype=dtype)


def load_decoder(folder: Folder, *, mesh: Mesh) -> Loaded:
    """Loads the part of a model's autoencoder that decodes."""
    source, component = folder.source("vae"), _named("vae")
    sizes = component.read_config(source)
    return load_component(source, component, sizes, mesh=mesh, parts=component.decoder)


def _named(name: str) -> Component:
    return next(component for component in published_components() if component.name == name)
