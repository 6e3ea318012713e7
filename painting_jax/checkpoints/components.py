"""The components of a published model: what they are, and loading them onto the mesh."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from painting_jax.checkpoints.diffusers_folder import Expert, Folder
from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.load import flat, load_params
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.family import Component, Layout, published_components
from painting_jax.models.lora import kernels
from painting_jax.models.published_config import is_among
from painting_jax.models.tensor_names import Table


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
    def _abstract(self) -> nnx.Module:
        return nnx.eval_shape(lambda: self.component.make(self.sizes, jnp.float32))


def component_of(source: Source) -> Component:
    """The kind of component that weights are, by their config.json or else their tensors.

    Raises:
      UserError: If they are no part of a published family's models.
    """
    components = published_components()
    if not source.config:
        # The most specific expression decides: that of the transformer matches any name.
        by_length = sorted(components, key=lambda component: -len(component.tensors))
        return next(
            component
            for component in by_length
            if not source.tensors
            or any(re.fullmatch(component.tensors, name) for name in source.tensors)
        )
    kind = source.config.get("_class_name") or source.config.get("model_type")
    kinds = {kind: component for component in components for kind in component.kinds}
    if not is_among(kind, kinds):
        raise UserError(f"{source.name} is a {kind}: {', '.join(kinds)} can be converted")
    return kinds[kind]


def architecture(source: Source, component: Component | None = None) -> Architecture:
    """The architecture of weights, by default of the component they seem to be.

    Errors as in `component_of`, or if a size is missing.
    """
    component = component or component_of(source)
    sizes = component.read_config(source)
    config = source.config or (component.to_json(sizes) if component.to_json else {})
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
    source: Source, component: Component, sizes: Any, *, mesh: Mesh, dtype=jnp.float32
) -> Loaded:
    """Loads a component.

    Args:
      source: Its weights.
      component: Its kind.
      sizes: Its sizes.
      mesh: Mesh to lay it out on.
      dtype: Dtype that it computes in and is kept in, but for what `Component.float32` matches.
    """
    tables = list(component.tables(sizes).values())
    make_model = functools.partial(component.make, sizes, dtype)
    params = load_params(
        make_model, source, tables, mesh=mesh, dtype=dtype, float32=component.float32
    )
    return Loaded(nnx.graphdef(nnx.eval_shape(make_model)), params)


def load_transformer(expert: Expert, *, mesh: Mesh, dtype) -> Loaded:
    """Loads a transformer."""
    component = _named("transformer")
    return load_component(expert.source, component, expert.config, mesh=mesh, dtype=dtype)


def transformer_maker(expert: Expert, dtype) -> Callable[[], nnx.Module]:
    """Makes an expert's transformer, for `nnx.eval_shape`."""
    return functools.partial(_named("transformer").make, expert.config, dtype)


def load_named(folder: Folder, name: str, *, mesh: Mesh, dtype=jnp.float32) -> Loaded:
    """Loads a component of a model by the name of its folder."""
    source, component = folder.source(name), _named(name)
    return load_component(source, component, component.read_config(source), mesh=mesh, dtype=dtype)


def _named(name: str) -> Component:
    return next(component for component in published_components() if component.name == name)
