"""Conversion of models and LoRAs between published layouts, tensor by tensor.

Each tensor is read when it is about to be written, so memory never holds a whole model.
`generate` and `train` read diffusers folders straight onto the mesh: there is no third layout.
"""

import dataclasses
import functools
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import numpy as np
from tqdm import tqdm

from painting_jax.checkpoints import adapters, hub, lora_files, lora_keys, safetensors_file, save
from painting_jax.checkpoints.adapters import LoraSpec
from painting_jax.checkpoints.components import Architecture, architecture
from painting_jax.checkpoints.diffusers_folder import CONCATENATED, FIRST_FRAME, TRANSFORMERS
from painting_jax.checkpoints.key_matching import Match, best_table, match_tensors
from painting_jax.checkpoints.lora_files import LoraFile
from painting_jax.checkpoints.parts import parts_of
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.checkpoints.source import Source, open_source, read_json
from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside
from painting_jax.models.family import Layout
from painting_jax.models.lora import Target
from painting_jax.models.tensor_names import Spelling, spellings, split_prefix

WeightedLoras = Sequence[tuple[LoraFile, float]]

_WEIGHTS = (*TRANSFORMERS, "vae", "text_encoder", "image_encoder")
_INDEX = "model_index.json"
# Configs and vocabularies of the components without weights.
_COPIED = (".json", ".model", ".txt", ".jinja")


@dataclasses.dataclass(frozen=True)
class Changes:
    """Changes to make beside that of the layout.

    Attributes:
      dtype: dtype of the weights; None = unchanged. Sensitive parameters and the autoencoder of a
        whole model are not made less precise.
      loras: LoRAs to merge into each transformer, by its folder's name.
      index: new entries of a whole model's model_index.json.
    """

    dtype: np.dtype | None = None
    loras: Mapping[str, Sequence[LoraSpec]] = dataclasses.field(default_factory=dict)
    index: Mapping = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Converted:
    """A component that is ready to be written.

    Attributes:
      architecture: its architecture.
      tensors: its tensors under their new names.
      config: content of its new config.json.
      report: lines for the user.
      index: new entries of a whole model's model_index.json.
    """

    architecture: Architecture
    tensors: dict[str, PendingTensor]
    config: dict
    report: tuple[str, ...]
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
    """Converts a model, a component or a LoRA. Everything is checked before anything is written.

    Args:
      name: a diffusers folder, a component's folder, a single file of Wan or ComfyUI with one
        component or several, a LoRA, or a hub id of one of these.
      target: path to create: a folder, or a .safetensors file for a LoRA or for ComfyUI.
      layout: layout of the target.
      changes: other changes to make.
      pretrained: a diffusers folder or hub id. The target is a copy of it with the source in place
        of a component.
      component: the transformer of `pretrained` to replace; None = found from the source's tensors,
        as all other components are.

    Returns:
      A report, in lines.

    Raises:
      UserError: if the source cannot be read or is not a Wan model, tensors are missing, unexpected
        or misshapen, a LoRA does not fit, or the target exists or cannot be written.
    """
    path, target = hub.local(name), pathlib.Path(target)
    if (path / _INDEX).is_file():
        if pretrained or layout != "diffusers":
            raise UserError(
                f"{name} is a whole model, which stays a diffusers folder: name one of its "
                f"components, as in {path / 'transformer'}"
            )
        return _convert_model(path, target, changes, {})
    source = open_source(path)
    if lora_keys.is_lora(source.tensors):
        if any(changes.loras.values()) or pretrained:
            raise UserError(
                f"{name} is a LoRA: to merge it, name the model as --source and it as --lora"
            )
        return _convert_lora(path, source, target, layout, changes.dtype)
    parts = parts_of(source)
    if pretrained:
        if layout != "diffusers":
            raise UserError("a whole model stays a diffusers folder: leave --pretrained out")
        replaced = _by_component(parts, component)
        return _convert_model(hub.local(pretrained), target, changes, replaced)
    if len(parts) > 1:
        raise UserError(
            f"{name} holds {' and '.join(parts)}: name with --pretrained the model to put them into"
        )
    if changes.loras.get("transformer_2"):
        raise UserError(f"--lora_2 is for models of two transformers, {name} is a single component")
    [source] = parts.values()
    return _convert_component(source, target, layout, changes)


def _by_component(parts: Mapping[str, Source], component: str | None) -> dict[str, Source]:
    """Parts by the components of a model that they replace; one is named for a transformer."""
    if len(parts) == 1:
        return {component or part: source for part, source in parts.items()}
    return {
        component if component and part == TRANSFORMERS[0] else part: source
        for part, source in parts.items()
    }


def _convert_component(
    source: Source, target: pathlib.Path, layout: Layout, changes: Changes
) -> list[str]:
    if layout == "diffusers":
        save.check_new(target)
    else:
        _check_new_file(target)
    converted = _converted(source, layout, changes.dtype, changes.loras.get("transformer", ()))
    with _progress_bar([converted]) as bar:
        tensors = _with_progress(converted.tensors, bar)
        if layout == "diffusers":
            save.write_folder(
                tensors, target, converted.config, stem=converted.architecture.component.stem
            )
        else:
            safetensors_file.write_file(target, tensors, save.METADATA)
    return list(converted.report)


def translate(
    source: Source,
    architecture: Architecture,
    layout: Layout,
    *,
    dtype: np.dtype | None = None,
    loras: WeightedLoras = (),
) -> dict[str, PendingTensor]:
    """The tensors of a component under the names of a layout, sorted by name.

    Args:
      source: the weights.
      architecture: architecture of the source.
      layout: layout to translate to. Tensors that already have it keep their names, in that of
        diffusers without a prefix.
      dtype: dtype of all tensors but those that `Component.float32_converted` matches; None =
        unchanged.
      loras: LoRAs that fit, with weights. They are added in float32.

    Raises:
      UserError: if the source's tensors do not fit the architecture, or the component is not
        published in this layout.
    """
    if layout not in architecture.tables:
        raise UserError(
            f"{source.name}: {layout} has no layout of its own for a "
            f"{architecture.component.name}, use it as it is"
        )
    own, target = (
        best_table(source, list(architecture.tables.values())),
        architecture.tables[layout],
    )
    spelled = spellings(target)
    names = {tensor: name for name, tensor in source.tensors.items()}
    result = {}
    for match in match_tensors(source, architecture.shapes, [own]):
        tensor, (path, layer), _ = match
        spelling = spelled[path]
        shape = architecture.shapes[path].shape
        lowered = dtype is not None and np.dtype(dtype).itemsize < tensor.dtype.itemsize
        unchanged = dtype is None or (
            lowered and re.search(architecture.component.float32_converted, path)
        )
        name = names[tensor] if own is target else spelling.of(layer)
        if layout == "diffusers":
            _, name = split_prefix(name)
        result[name] = PendingTensor(
            tensor.dtype if unchanged else np.dtype(dtype),
            spelling.transform.their_shape(shape if layer is None else shape[1:]),
            functools.partial(_translated, match, spelling, loras),
        )
    return dict(sorted(result.items()))


def _translated(match: Match, spelling: Spelling, loras: WeightedLoras) -> np.ndarray:
    ours = match.transform.ours(match.tensor.view())
    linear, _, parameter = match.slot.path.rpartition("/")
    changes = []
    for lora, weight in loras:
        factors = lora.factors.get(Target(linear, match.slot.layer))
        if factors is not None and parameter == "kernel" and factors.rank:
            changes.append(weight * factors.scale * (factors.a_IR @ factors.b_RO))
        elif factors is not None and parameter == "bias" and factors.bias_O is not None:
            changes.append(weight * factors.bias_O)
        if match.slot in lora.changes:
            # Of the parameter as it is without the other LoRAs.
            changes.append(weight * lora.changes[match.slot](ours.astype(np.float32)))
    if changes:
        ours = sum(changes, ours.astype(np.float32)).astype(np.float32)
    return spelling.transform.theirs(ours)


def _convert_model(
    folder: pathlib.Path, target: pathlib.Path, changes: Changes, replaced: Mapping[str, Source]
) -> list[str]:
    """Rewrites a whole diffusers folder, with some components replaced."""
    save.check_new(target)
    if not (folder / _INDEX).is_file():
        raise UserError(f"{folder} is not a diffusers folder: it has no {_INDEX}")
    index = read_json(folder / _INDEX)
    components = [name for name, entry in index.items() if isinstance(entry, list) and any(entry)]
    for name in (*replaced, *(name for name, specs in changes.loras.items() if specs)):
        if name not in components:
            raise UserError(f"{folder} has no {name}: its components are {', '.join(components)}")
    converted: dict[str, _Converted] = {}
    for name in components:
        if not (folder / name).is_dir():
            raise UserError(f"{folder} lacks {name}, which its {_INDEX} names: fetch it again")
        if name in _WEIGHTS:
            source = open_source(folder, name)
            if name in replaced:
                # The config is the model's, as a single file does not tell its number of heads.
                source = dataclasses.replace(replaced[name], config=source.config)
            dtype = None if name == "vae" and name not in replaced else changes.dtype
            converted[name] = _converted(source, "diffusers", dtype, changes.loras.get(name, ()))
    channels = {converted[name].config["in_channels"] for name in TRANSFORMERS if name in converted}
    if len(channels) > 1:
        raise UserError(
            f"{folder}: its two transformers would take {' and '.join(map(str, sorted(channels)))} "
            "channels: merge LoRAs of one kind into both, with --lora and --lora_2"
        )
    try:
        with _progress_bar(converted.values()) as bar, folder_written_beside(target) as unfinished:
            for name in components:
                if name not in converted:
                    _copy_files(folder / name, unfinished / name)
                    continue
                one = converted[name]
                tensors, stem = _with_progress(one.tensors, bar), one.architecture.component.stem
                save.write_folder(tensors, unfinished / name, one.config, stem=stem)
            for one in converted.values():
                index |= one.index
            save.write_json(unfinished / _INDEX, index | dict(changes.index))
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from error
    return [f"{name}: {line}" for name, one in converted.items() for line in one.report]


def _converted(
    source: Source, layout: Layout, dtype: np.dtype | None, specs: Sequence[LoraSpec]
) -> _Converted:
    found = architecture(source)
    if specs and not found.kernels:
        raise UserError(f"{source.name} is not a transformer: LoRAs are merged into transformers")
    index = {}
    widened = adapters.widened(source, specs)
    if widened is not source:
        source, found = widened, architecture(widened)
        index = CONCATENATED
    files = adapters.read(specs, found.kernels, found.other_shapes)
    if any(file.first_frame for file in files):
        # A model with concatenated image conditioning keeps it.
        same = found.config["out_channels"] in (None, found.config["in_channels"])
        index = FIRST_FRAME if same else index
    loras = [(file, spec.weight) for file, spec in zip(files, specs, strict=True)]
    tensors = translate(source, found, layout, dtype=dtype, loras=loras)
    config = dict(found.config)
    if dtype is not None:
        # transformers loads weights in the dtype of the config.
        config |= {key: np.dtype(dtype).name for key in ("dtype", "torch_dtype") if key in config}
    merged = (f"{spec.title} merged, {file}" for spec, file in zip(specs, files, strict=True))
    report = (f"{len(source.tensors)} tensors read, {len(tensors)} written", *merged)
    return _Converted(found, tensors, config, report, index)


def _convert_lora(
    path: pathlib.Path,
    source: Source,
    target: pathlib.Path,
    layout: Layout,
    dtype: np.dtype | None,
) -> list[str]:
    _check_new_file(target)
    own = source.tensors
    file = lora_files.read(path, lora_files.own_shapes(own), lora_files.own_others(own))
    if dtype is None:
        dtypes = {tensor.dtype for tensor in source.tensors.values() if tensor.shape}
        dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(np.float32)
    dialect = cast(lora_keys.Dialect, layout)
    left_out = {
        "no layer has them": file.unused,
        f"{layout} has no place for them": lora_files.left_out(file.changes, dialect),
    }
    lora_files.write(
        target,
        file.factors,
        dialect,
        dtype,
        changes=file.changes,
        first_frame=file.first_frame,
    )
    lines = [f"left out, as {why}: {', '.join(keys)}" for why, keys in left_out.items() if keys]
    return [str(file), *lines]


def _check_new_file(target: pathlib.Path) -> None:
    if target.suffix != ".safetensors":
        raise UserError(f"--target={target}: the target is a single file, name it .safetensors")
    if target.exists():
        raise UserError(f"{target} exists: name a new file")


def _copy_files(folder: pathlib.Path, target: pathlib.Path) -> None:
    target.mkdir()
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix in _COPIED:
            shutil.copyfile(file, target / file.name)


def _progress_bar(converted: Iterable[_Converted]) -> tqdm:
    total = sum(tensor.nbytes for one in converted for tensor in one.tensors.values())
    return tqdm(total=total, desc="converting", unit="B", unit_scale=True, disable=None)


def _with_progress(tensors: Mapping[str, PendingTensor], bar: tqdm) -> dict[str, PendingTensor]:
    """The same tensors, which advance the bar when they are written."""

    def with_progress(pending: PendingTensor) -> PendingTensor:
        def array() -> np.ndarray:
            bar.update(pending.nbytes)
            return pending.array()

        return pending._replace(array=array)

    return {name: with_progress(pending) for name, pending in tensors.items()}
