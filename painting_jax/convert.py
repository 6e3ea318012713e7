"""Converts models and LoRAs between the layouts of diffusers and of Wan's own files (ComfyUI).

  python -m painting_jax.convert --source=MODEL --target=FOLDER [--lora=LORA:0.8] [--dtype=bfloat16]
  python -m painting_jax.convert --source=wan.safetensors --target=FOLDER --pretrained=MODEL
  python -m painting_jax.convert --source=MODEL/vae --target=vae.safetensors --format=comfyui
  python -m painting_jax.convert --source=LORA --target=lora.safetensors --format=comfyui
  python -m painting_jax.convert --source=RUN --target=FOLDER_OR_FILE

MODEL is a diffusers folder or a hub id. generate and train read it without conversion, and also
read what convert writes. A single file holds a transformer, an autoencoder, a text encoder or all
of them, as Wan or ComfyUI publishes it, also with scaled float8 weights (fp8_scaled). With
--pretrained, the target is a copy of that model with the file's components in place of its own.

A LoRA may have the keys of diffusers, PEFT, ComfyUI, DiffSynth, musubi or LyCORIS. A DoRA, LoHa or
LoKr keeps its kind with --format=comfyui; diffusers cannot represent it. A text-to-video model
becomes an image-to-video model if a LoRA that was trained here, or one with input channels for a
picture, is merged into it.

A RUN is a training run. If it finetuned published weights, its LoRA is converted; after a full
finetune, the target is a copy of the published model with the finetuned transformer. A run with a
model of its own becomes a released run: a folder of a few megabytes (in bfloat16, unless --dtype
says otherwise) that generate, evaluate and train read like the run.

Tensors are copied one at a time. Every tensor of the source is written, or the report says why it
is not.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import pathlib
from collections.abc import Mapping, Sequence
from typing import cast

import jax.numpy as jnp
from absl import flags
from etils import epath
from ml_collections import ConfigDict

from painting_jax import cli, remote_paths
from painting_jax import config as config_lib
from painting_jax.checkpoints import adapters, conversion, hub
from painting_jax.errors import UserError
from painting_jax.files import destination
from painting_jax.models.family import Layout

_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "Diffusers folder, folder of a component, single file or LoRA, or the hub id of one of "
    "these; or a run.",
)
_TARGET = flags.DEFINE_string(
    "target", None, "New folder, or a new .safetensors file for LoRAs and for --format=comfyui."
)
_FORMAT = flags.DEFINE_enum(
    "format", "diffusers", ["diffusers", "comfyui"], "Layout of the target."
)
_DTYPE = flags.DEFINE_enum(
    "dtype",
    None,
    ["float32", "bfloat16", "float16"],
    "Dtype of the weights. The norms of a transformer and the autoencoder of a whole model "
    "keep their precision [default: unchanged].",
)
_LORA = flags.DEFINE_multi_string(
    "lora", [], "LoRAs to merge into the transformer, as in a.safetensors:1.0,b.safetensors:0.8."
)
_LORA_2 = flags.DEFINE_multi_string(
    "lora_2", [], "LoRAs to merge into the second transformer, the low-noise expert."
)
_PRETRAINED = flags.DEFINE_string(
    "pretrained", None, "Model to copy, with the source in place of one of its components."
)
_COMPONENT = flags.DEFINE_enum(
    "component",
    None,
    list(conversion.TRANSFORMERS),
    "Transformer of --pretrained that the source replaces [default: transformer].",
)


def main() -> None:
    """Converts the source that the flags name."""
    cli.refuse_empty(_SOURCE, _TARGET, _PRETRAINED, _LORA, _LORA_2)
    cli.check_runs(_SOURCE)
    cli.refuse_remote(_TARGET, _PRETRAINED, _LORA, _LORA_2)
    cli.require_given(_SOURCE, _TARGET)
    if _COMPONENT.value and not _PRETRAINED.value:
        raise UserError(
            "--component is the part of --pretrained to replace: name one with --pretrained"
        )
    loras = (adapters.parse(_LORA.value), adapters.parse(_LORA_2.value))
    with destination(_TARGET.name, _TARGET.value, "convert"):
        report = _convert(loras)
    print("\n".join([*report, _TARGET.value]))


def _released(config: ConfigDict) -> list[str]:
    """Writes a released run."""
    from painting_jax.sharding.mesh import make_mesh  # noqa: PLC0415
    from painting_jax.tasks.registry import make_task  # noqa: PLC0415
    from painting_jax.training import released, sampled  # noqa: PLC0415

    source, target = _SOURCE.value, pathlib.Path(_TARGET.value)
    for flag in (_LORA, _LORA_2, _PRETRAINED, _COMPONENT):
        if flag.value:
            raise UserError(f"--{flag.name}: the model of {source} is none of the published ones")
    if _FORMAT.value != "diffusers" or target.suffix:
        raise UserError(
            f"{source} trained a model of its own, which no other program knows: it becomes a "
            "folder for this one, without --format"
        )
    params, step = sampled.restore(
        source, make_task(config, epath.Path(source)), make_mesh({"data": 1})
    )
    released.write(target, source, params, step, jnp.dtype(_DTYPE.value or "bfloat16"))
    return [f"released after {step} training steps"]


def _convert(loras: Sequence[Sequence[adapters.LoraSpec]]) -> list[str]:
    source, pretrained = _SOURCE.value, _PRETRAINED.value
    index: Mapping = {}
    component = _COMPONENT.value
    in_bucket = remote_paths.in_bucket(source)
    if ((epath.Path if in_bucket else hub.expanded)(source) / "checkpoints").is_dir():
        # Slow to import, and only needed for a run.
        from painting_jax.tasks import exports, published  # noqa: PLC0415

        config = config_lib.read_config(source)
        if not published.is_finetuned(config):
            return _released(config)
        source, base, default_component, index = exports.to_convert(source, config)
        component = component or default_component
        if _FORMAT.value == "diffusers":
            pretrained = pretrained or base
    elif in_bucket:
        raise UserError(f"--source={source} is no run with checkpoints: copy weights here first")
    return conversion.convert(
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


if __name__ == "__main__":
    cli.run(main)
