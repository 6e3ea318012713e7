"""Published weights as one table of tensors, spread over any number of files."""

import dataclasses
import os
import pathlib

from painting_jax import json_text
from painting_jax.checkpoints import hub
from painting_jax.checkpoints.quantized import check_formats, with_scales
from painting_jax.checkpoints.safetensors_file import Tensor, read_header
from painting_jax.errors import UserError

_STEMS = ("diffusion_pytorch_model", "model")  # of diffusers and of transformers
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclasses.dataclass(frozen=True)
class Source:
    """Named tensors that are read one at a time.

    Attributes:
      name: name for messages.
      tensors: name -> file position, shape and dtype; no values are read.
      config: content of the component's config.json; empty for a single file, which has none.
      metadata: texts in the headers of the files.
    """

    name: str
    tensors: dict[str, Tensor]
    config: dict
    metadata: dict[str, str]

    @property
    def files(self) -> list[pathlib.Path]:
        """The safetensors files, sorted by name."""
        return sorted({tensor.path for tensor in self.tensors.values()})

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the files."""
        return self.files[0].parent

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors.values())


def open_source(
    name: str | os.PathLike, component: str = "", *, revision: str | None = None
) -> Source:
    """Opens a component of a diffusers folder, or a single safetensors file.

    Args:
      name: a folder, a safetensors file, or a hub id (see `hub.local`).
      component: the subfolder, such as "transformer"; "" = the folder itself.
      revision: branch, tag or commit on the hub.

    Raises:
      UserError: if there are no readable weights, or a file is damaged.
    """
    path = hub.local(name, folders=(component,) if component else (), revision=revision)
    if path.is_file():
        _refuse_unreadable(path)
        tensors, metadata = _read_header(path)
        return Source(str(path), with_scales(str(path), tensors), {}, metadata)
    path /= component
    if not path.is_dir():
        raise UserError(
            f"{path} does not exist: {name} is not a diffusers folder with a {component}"
        )
    tensors, metadata = {}, {}
    for file in _files(path):
        of_file, texts = _read_header(file)
        duplicates = tensors.keys() & of_file.keys()
        if duplicates:
            raise UserError(f"{path}: {min(duplicates):.200} is in two files, remove one of them")
        tensors |= of_file
        metadata |= texts
    # A scale may lie in another file than its weight.
    tensors = with_scales(str(path), tensors)
    config = path / "config.json"
    return Source(str(path), tensors, read_json(config) if config.is_file() else {}, metadata)


def config_of(source: Source) -> dict:
    """The config.json beside the weights.

    Raises:
      UserError: If there is none.
    """
    if source.config:
        return source.config
    path = source.folder / "config.json"
    if not path.is_file():
        raise UserError(f"{source.name} has no config.json beside it: add the model's config.json")
    return read_json(path)


def _read_header(path: pathlib.Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors, metadata = read_header(path)
    check_formats(str(path), tensors, metadata)
    return tensors, metadata


def read_json(path: pathlib.Path) -> dict:
    """Reads a JSON object.

    Raises:
      UserError: if the file cannot be read, holds anything else, or is unreasonably large.
    """
    try:
        content = json_text.read(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: it is not a JSON object")
    return content


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The safetensors files of a component: those in its index, or the only one."""
    indices = sorted(folder.glob("*.safetensors.index*.json"))
    index = _preferred(folder, indices, [f"{stem}.safetensors.index.json" for stem in _STEMS])
    if index:
        return _indexed(index)
    found = sorted(folder.glob("*.safetensors"))
    file = _preferred(folder, found, [f"{stem}.safetensors" for stem in _STEMS])
    if file and "-of-" not in file.name:
        return [file]
    if file:
        raise UserError(f"{folder} has a part of sharded weights but no index: fetch it again")
    for other in sorted(folder.iterdir()):
        _refuse_unreadable(other)
    raise UserError(f"{folder} holds no weights: a .safetensors file should be there")


def _preferred(
    folder: pathlib.Path, found: list[pathlib.Path], names: list[str]
) -> pathlib.Path | None:
    for name in names:
        if folder / name in found:
            return folder / name
    if len(found) > 1:
        shown = ", ".join(path.name for path in found[:3])
        raise UserError(f"{folder} holds {len(found)} candidates ({shown}, ...): name one of them")
    return found[0] if found else None


def _indexed(index: pathlib.Path) -> list[pathlib.Path]:
    file_names = read_json(index).get("weight_map")
    if not isinstance(file_names, dict) or not all(isinstance(v, str) for v in file_names.values()):
        raise UserError(f"{index} is damaged: it has no weight_map from names to files")
    files = []
    for name in sorted(set(file_names.values())):
        # A name with a path in it would reach out of the folder.
        if pathlib.PurePath(name).name != name or "\\" in name:
            raise UserError(f"{index} is damaged: {name!r:.80} is not the name of a file beside it")
        file = index.parent / name
        _refuse_unreadable(file)
        if not file.is_file():
            raise UserError(
                f"{index.parent} lacks {name:.200}, which its index names: fetch it again"
            )
        files.append(file)
    return files


def _refuse_unreadable(path: pathlib.Path) -> None:
    if path.suffix == ".gguf":
        read_header(path)  # which says what the file is
    if path.suffix in _PICKLES:
        raise UserError(
            f"{path} is a pickle, which can run code when it is loaded: use the .safetensors "
            f'version, or convert it where you trust it: python -c "import torch; from '
            f"safetensors.torch import save_file as s; "
            f"s(torch.load('{path.name}', weights_only=True), '{path.stem}.safetensors')\""
        )
