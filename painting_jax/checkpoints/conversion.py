"""Models and LoRAs rewritten in the layouts that others read: what `convert` does.

`generate` and `train` read diffusers folders as they are, straight onto the mesh, so there is no
third layout to convert to.
"""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from painting_jax.checkpoints import adapters, hub, safetensors_file, save
from painting_jax.checkpoints import lora_files as lora
from painting_jax.checkpoints.diffusers_folder import CONCATENATED, FIRST_FRAME, TRANSFORMERS
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.checkpoints.source import Source, open_source, read_json
from painting_jax.checkpoints.translation import (
    Architecture,
    Layout,
    architecture,
    component_of,
    translate,
)
from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside

_WEIGHTS = (*TRANSFORMERS, "vae", "text_encoder", "image_encoder")
_INDEX = "model_index.json"
# Texts and vocabularies of the components that hold no weights.
_COPIED = (".json", ".model", ".txt", ".jinja")


@dataclasses.dataclass(frozen=True)
class Changes:
    """What is to be different afterwards, beside the layout.

    Attributes:
      dtype: of the weights, but for parameters that lose too much and a pipeline's autoencoder;
        None = as they are.
      loras: to be added to a transformer, by its folder's name.
      index: entries of a whole model's model_index.json.
    """

    dtype: np.dtype | None = None
    loras: Mapping[str, Sequence[adapters.Named]] = dataclasses.field(default_factory=dict)
    index: Mapping = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Rewritten:
    """A component that is ready to be written, and what a whole model's index then says."""

    architecture: Architecture
    tensors: dict[str, PendingTensor]
    config: dict
    said: tuple[str, ...]
    index: dict


def convert(
    name: str | os.PathLike,
    target: str | os.PathLike,
    layout: Layout,
    *,
    changes: Changes,
    pretrained: str | os.PathLike | None = None,
    component: str | None = None,
) -> list[str]:
    """Converts a model, a component of one, or a LoRA; everything is checked before it is written.

    Args:
      name: a diffusers folder, a component's folder, a single file of Wan or ComfyUI, a LoRA, or
        what the hub calls one.
      target: to be made: a folder, or a .safetensors file for a LoRA or for ComfyUI.
      layout: of the target.
      changes: to make on the way.
      pretrained: a diffusers folder or hub id, a copy of which gets the component.
      component: that the source is of `pretrained`; None = the one that its tensors say.

    Returns:
      What was done, in lines.

    Raises:
      UserError: if the source cannot be read or is no model of Wan, tensors are missing, unexpected
        or misshapen, a LoRA does not fit, or the target cannot be written or is there already.
    """
    path, target = hub.local(name), pathlib.Path(target)
    if (path / _INDEX).is_file():
        if pretrained or layout != "diffusers":
            raise UserError(
                f"{name} is a whole model, which stays a diffusers folder: name one of its "
                f"components, as in {path / 'transformer'}"
            )
        return _convert_pipeline(path, target, changes, {})
    source = open_source(path)
    if lora.is_lora(source.tensors):
        if any(changes.loras.values()) or pretrained:
            raise UserError(
                f"{name} is a LoRA: to merge it, name the model as --source and it as --lora"
            )
        return _convert_lora(path, source, target, layout, changes.dtype)
    if pretrained:
        if layout != "diffusers":
            raise UserError("a whole model stays a diffusers folder: leave --pretrained out")
        part = component or component_of(source)
        return _convert_pipeline(hub.local(pretrained), target, changes, {part: source})
    if changes.loras.get("transformer_2"):
        raise UserError(f"--lora_2 is for models of two transformers, {name} is a single component")
    if layout == "diffusers":
        save.check_new(target)
    else:
        _check_new_file(target)
    rewritten = _rewritten(source, layout, changes.dtype, changes.loras.get("transformer", ()))
    with _bar([rewritten]) as bar:
        tensors = _reporting(rewritten.tensors, bar)
        if layout == "diffusers":
            save.write_folder(tensors, target, rewritten.config, stem=rewritten.architecture.stem)
        else:
            safetensors_file.write_file(target, tensors, save.METADATA)
    return list(rewritten.said)


def _convert_pipeline(
    folder: pathlib.Path, target: pathlib.Path, changes: Changes, replaced: Mapping[str, Source]
) -> list[str]:
    """Rewrites a whole diffusers folder, some components taken from elsewhere."""
    save.check_new(target)
    if not (folder / _INDEX).is_file():
        raise UserError(f"{folder} is no diffusers folder: it has no {_INDEX}")
    index = read_json(folder / _INDEX)
    parts = [name for name, entry in index.items() if isinstance(entry, list) and any(entry)]
    for name in (*replaced, *(name for name, given in changes.loras.items() if given)):
        if name not in parts:
            raise UserError(f"{folder} has no {name}: its components are {', '.join(parts)}")
    rewritten = {}
    for name in parts:
        if not (folder / name).is_dir():
            raise UserError(f"{folder} lacks {name}, which its {_INDEX} names: fetch it again")
        if name in _WEIGHTS:
            source = open_source(folder, name)
            if name in replaced:
                # No tensor tells a single file's number of heads: the model that it is put into.
                source = dataclasses.replace(replaced[name], config=source.config)
            dtype = None if name == "vae" and name not in replaced else changes.dtype
            rewritten[name] = _rewritten(source, "diffusers", dtype, changes.loras.get(name, ()))
    channels = {rewritten[name].config["in_channels"] for name in TRANSFORMERS if name in rewritten}
    if len(channels) > 1:
        raise UserError(
            f"{folder}: its two transformers would take {' and '.join(map(str, sorted(channels)))} "
            "channels: merge LoRAs of one kind into both, with --lora and --lora_2"
        )
    try:
        with _bar(rewritten.values()) as bar, folder_written_beside(target) as unfinished:
            for name in parts:
                if name not in rewritten:
                    _copy(folder / name, unfinished / name)
                    continue
                part = rewritten[name]
                tensors, stem = _reporting(part.tensors, bar), part.architecture.stem
                save.write_folder(tensors, unfinished / name, part.config, stem=stem)
            for part in rewritten.values():
                index |= part.index
            save.write_json(unfinished / _INDEX, index | changes.index)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from error
    return [f"{name}: {line}" for name, part in rewritten.items() for line in part.said]


def _rewritten(
    source: Source, layout: Layout, dtype: np.dtype | None, named: Sequence[adapters.Named]
) -> _Rewritten:
    kind = architecture(source)
    if named and not kind.kernels:
        raise UserError(f"{source.name} is no transformer: LoRAs are merged into transformers")
    wider = adapters.widened(source, named)
    index = {}
    if wider is not source:
        source, kind = wider, architecture(wider)
        index = CONCATENATED
    files = adapters.read(named, kind.kernels)
    if any(file.first_frame for file in files):
        # Merged into a model that takes a picture in another way, it has no say in that.
        same = kind.config["out_channels"] in (None, kind.config["in_channels"])
        index = FIRST_FRAME if same else index
    loras = [(file.factors, one.weight) for file, one in zip(files, named, strict=True)]
    tensors = translate(source, kind, layout, dtype=dtype, loras=loras)
    config = dict(kind.config)
    if dtype is not None:
        # transformers loads weights in the dtype that is written here.
        config |= {key: np.dtype(dtype).name for key in ("dtype", "torch_dtype") if key in config}
    merged = (f"{one.title} merged, {file}" for one, file in zip(named, files, strict=True))
    said = (f"{len(source.tensors)} tensors read, {len(tensors)} written", *merged)
    return _Rewritten(kind, tensors, config, said, index)


def _convert_lora(
    path: pathlib.Path,
    source: Source,
    target: pathlib.Path,
    layout: Layout,
    dtype: np.dtype | None,
) -> list[str]:
    _check_new_file(target)
    file = lora.read(path, lora.own_shapes(source.tensors))
    if dtype is None:
        found = {tensor.dtype for tensor in source.tensors.values() if tensor.shape}
        dtype = found.pop() if len(found) == 1 else np.dtype(np.float32)
    lora.write(target, file.factors, layout, dtype, first_frame=file.first_frame)
    unused = [f"left out, as no linear layer has them: {', '.join(file.unused)}"]
    return [str(file), *unused[: len(file.unused)]]


def _check_new_file(target: pathlib.Path) -> None:
    if target.suffix != ".safetensors":
        raise UserError(f"--target={target}: a single file is written, name it .safetensors")
    if target.exists():
        raise UserError(f"{target} exists: name a new file")


def _copy(folder: pathlib.Path, target: pathlib.Path) -> None:
    target.mkdir()
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix in _COPIED:
            shutil.copyfile(file, target / file.name)


def _bar(rewritten) -> tqdm:
    total = sum(tensor.nbytes for part in rewritten for tensor in part.tensors.values())
    return tqdm(total=total, desc="converting", unit="B", unit_scale=True, disable=None)


def _reporting(tensors: Mapping[str, PendingTensor], bar: tqdm) -> dict[str, PendingTensor]:
    """The same tensors, which move the bar as they are written."""

    def reporting(pending: PendingTensor) -> PendingTensor:
        def array() -> np.ndarray:
            bar.update(pending.nbytes)
            return pending.array()

        return pending._replace(array=array)

    return {name: reporting(pending) for name, pending in tensors.items()}
