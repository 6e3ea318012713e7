"""What published weights are: one component of a model, or several in one file."""

import dataclasses
import re

from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.family import Component, published_components
from painting_jax.models.published_config import is_among
from painting_jax.models.tensor_names import split_prefix

# What ComfyUI puts before the names of a component's tensors in an all-in-one checkpoint.
_PART_PREFIXES = {
    "transformer": re.compile(r"(?=(?:model\.)?diffusion_model\.)"),
    "vae": re.compile(r"(?:vae|first_stage_model)\."),
    "text_encoder": re.compile(
        r"(?:(?:text_encoders|cond_stage_model)\.)?(?:umt5xxl|t5xxl)\.(?:transformer\.)?"
        r"|(?:text_encoder|cond_stage_model)\."
    ),
    "image_encoder": re.compile(r"(?:clip_vision|image_encoder)\."),
}
_MAX_SHOWN = 3


def component_of(source: Source) -> Component:
    """The kind of component that weights are, by their config.json or else their tensors.

    Raises:
      UserError: If they are no part of a published family's models.
    """
    components = published_components()
    if not source.config:
        for component in components:
            if any(
                re.fullmatch(component.tensors, split_prefix(name)[1]) for name in source.tensors
            ):
                return component
        shown = ", ".join(f"{name:.60}" for name in list(source.tensors)[:_MAX_SHOWN]) or "none"
        raise UserError(
            f"{source.name} holds no part of a Wan model: its first tensors are {shown}; name a "
            f"{', '.join(component.name for component in components)} or a LoRA"
        )
    kind = source.config.get("_class_name") or source.config.get("model_type")
    kinds = {kind: component for component in components for kind in component.kinds}
    if not is_among(kind, kinds):
        raise UserError(f"{source.name} is a {kind!s:.80}: {', '.join(kinds)} can be converted")
    return kinds[kind]


def parts_of(source: Source) -> dict[str, Source]:
    """The components in weights: one, or several in an all-in-one checkpoint of ComfyUI.

    Returns:
      The weights by the component's name. Names of tensors are as in files of the component alone.

    Raises:
      UserError: As in `component_of`.
    """
    tensors: dict[str, dict[str, Tensor]] = {}
    for name, tensor in source.tensors.items() if not source.config else ():
        component, own = _part(name)
        group = tensors.setdefault(component, {})
        group[name if own in group else own] = tensor
    unnamed = tensors.pop("", {})
    if not tensors:
        return {component_of(source).name: source}
    tensors = {name: tensors[name] for name in _PART_PREFIXES if name in tensors}
    first = next(iter(tensors))
    # Key matching names what is no part of any component.
    tensors[first] |= unnamed
    if len(tensors) == 1:
        return {first: dataclasses.replace(source, tensors=tensors[first])}
    return {
        component: dataclasses.replace(source, name=f"{source.name} ({component})", tensors=own)
        for component, own in tensors.items()
    }


def part(source: Source, component: str) -> Source:
    """One component in weights.

    Raises:
      UserError: If the weights hold other components alone.
    """
    parts = parts_of(source)
    if component not in parts:
        raise UserError(f"{source.name} is a {' and a '.join(parts)}: name a {component} instead")
    return parts[component]


def _part(name: str) -> tuple[str, str]:
    """The component that a tensor of an all-in-one checkpoint belongs to, and its own name."""
    for component, prefix in _PART_PREFIXES.items():
        match = prefix.match(name)
        if match:
            return component, name[match.end() :]
    return "", name
