"""Converts models and LoRAs between the layouts of diffusers and of Wan's own files (ComfyUI).

  python -m painting_jax.convert --source=MODEL --target=FOLDER [--lora=LORA:0.8] [--dtype=bfloat16]
  python -m painting_jax.convert --source=wan.safetensors --target=FOLDER --pretrained=MODEL
  python -m painting_jax.convert --source=MODEL/vae --target=vae.safetensors --format=comfyui
  python -m painting_jax.convert --source=LORA --target=lora.safetensors --format=comfyui
  python -m painting_jax.convert --source=RUN --target=FOLDER_OR_FILE

MODEL is a diffusers folder or a hub id; generate and train take it as it is, and what is written
here, too. A single file holds a transformer or an autoencoder under the original names; with
--pretrained the result is a copy of that model with the component put in its place. LoRAs may be
of any dialect (diffusers, PEFT, ComfyUI, DiffSynth, musubi); one that was trained here on a
text-to-video model, or that brings channels for a picture, makes it one of pictures. Of a RUN on
published weights its LoRA is converted, or else the transformer that it trained, in a copy of its
model. Tensors go one at a time from file to file; each one of the source is written, or it is said
why not.
"""

import pathlib
from collections.abc import Mapping
from typing import cast

import jax.numpy as jnp
from absl import flags

from painting_jax import cli
from painting_jax.checkpoints import adapters, conversion, hub
from painting_jax.checkpoints.translation import Layout
from painting_jax.errors import UserError

_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "Diffusers folder, component's folder, single file, LoRA, hub id of one, or a training run.",
)
_TARGET = flags.DEFINE_string(
    "target", None, "New folder; or a new .safetensors file for LoRAs and for --format=comfyui."
)
_FORMAT = flags.DEFINE_enum("format", "diffusers", ["diffusers", "comfyui"], "Of the target.")
_DTYPE = flags.DEFINE_enum(
    "dtype",
    None,
    ["float32", "bfloat16", "float16"],
    "Of the weights; a transformer's normalisations and a model's autoencoder are not made less "
    "precise [default: as they are].",
)
_LORA = flags.DEFINE_multi_string(
    "lora", [], "LoRAs to merge into the transformer, as in a.safetensors:1.0,b.safetensors:0.8."
)
_LORA_2 = flags.DEFINE_multi_string(
    "lora_2", [], "LoRAs to merge into the second transformer, that for low noise."
)
_PRETRAINED = flags.DEFINE_string(
    "pretrained", None, "Model whose other components complete a single one to a whole model."
)
_COMPONENT = flags.DEFINE_enum(
    "component",
    None,
    list(conversion.TRANSFORMERS),
    "Transformer of --pretrained that the source takes the place of [default: transformer].",
)


def main() -> None:
    """Converts what the flags name."""
    cli.refuse_empty(_SOURCE, _TARGET, _PRETRAINED, _LORA, _LORA_2)
    for flag in (_SOURCE, _TARGET):
        if not flag.value:
            raise UserError(f"--{flag.name} is missing (see --help)")
    if _COMPONENT.value and not _PRETRAINED.value:
        raise UserError("--component says where in --pretrained the source belongs: name one")
    loras = (adapters.parse(_LORA.value), adapters.parse(_LORA_2.value))
    source, pretrained = _SOURCE.value, _PRETRAINED.value
    index: Mapping = {}
    component = _COMPONENT.value
    if (hub.expanded(source) / "checkpoints").is_dir():
        # Only a run needs its libraries, which take seconds to import.
        from painting_jax.tasks import exports  # noqa: PLC0415

        source, base, part, index = exports.to_convert(source)
        component = component or part
        if _FORMAT.value == "diffusers":
            pretrained = pretrained or base
    said = conversion.convert(
        source,
        pathlib.Path(_TARGET.value),
        cast(Layout, _FORMAT.value),
        changes=conversion.Changes(
            dtype=None if _DTYPE.value is None else jnp.dtype(_DTYPE.value),
            loras=dict(zip(conversion.TRANSFORMERS, loras, strict=True)),
            index=index,
        ),
        pretrained=pretrained,
        component=component,
    )
    print("\n".join([*said, _TARGET.value]))


if __name__ == "__main__":
    cli.run(main)
