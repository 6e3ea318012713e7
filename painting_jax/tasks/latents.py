"""What cached latents depend on, and the choice of those that fit an experiment."""

import dataclasses
import json
from typing import Any

from etils import epath
from ml_collections import ConfigDict

from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.data import dataset_folder
from painting_jax.errors import UserError
from painting_jax.tasks.published import frozen_dtype
from painting_jax.text.embeddings import fingerprint

# Fields that decide which frames are encoded, in which shape, and what is conditioned on. The
# prompts are embedded in the type of the frozen weights, but for int8.
_FIELDS = (
    "model.family",
    "model.in_channels",
    "model.image_dim",
    "data.frames",
    "data.height",
    "data.width",
    "data.buckets",
    "pretrained.dtype",
)
_WEIGHTS = {
    "vae": ("vae",),
    "image_encoder": ("image_encoder",),
    "text_encoder": ("tokenizer", "text_encoder"),
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """What cached latents were made from.

    Attributes:
      dataset: Folder of the pictures' data set, in its `--data_dir`.
      fingerprint: Fingerprint of that data set.
      fields: Values of the fields of the experiment that they depend on, as JSON has them.
      weights: Fingerprints of the networks that encoded, by name.
      dtype: Type that they are stored in.
    """

    dataset: str
    fingerprint: str
    fields: dict[str, Any]
    weights: dict[str, str]
    dtype: str

    def metadata(self) -> dict[str, Any]:
        """What a data set of them notes. Its own fingerprint is that of its pictures."""
        return {"fingerprint": self.fingerprint, dataset_folder.LATENTS: dataclasses.asdict(self)}

    def differences(self, other: "Origin") -> list[str]:
        """In words, how another one differs from this one; the type they are stored in may."""
        found = [
            f"config.{name} was {_shown(self.fields.get(name))}, is {_shown(value)}"
            for name, value in other.fields.items()
            if self.fields.get(name) != value
        ]
        found += [
            f"the {name} has other weights"
            for name in _WEIGHTS
            if self.weights.get(name) != other.weights.get(name)
        ]
        if (self.dataset, self.fingerprint) != (other.dataset, other.fingerprint):
            found.append(f"the pictures in {other.dataset} are others")
        return found


def origin(
    config: ConfigDict, data_dir: epath.PathLike, pictures: epath.PathLike, dtype: str
) -> Origin:
    """What latents would be made from now.

    Args:
      config: Config of an experiment that finetunes the published model that it names.
      data_dir: The `--data_dir` of `prepare`.
      pictures: Folder of the data set in it.
      dtype: Type that they are stored in.
    """
    return Origin(
        dataset=epath.Path(pictures).relative_to(epath.Path(data_dir)).as_posix(),
        fingerprint=dataset_folder.fingerprint(pictures),
        fields=_fields(config),
        weights=_weights(config),
        dtype=dtype,
    )


def read_origin(path: epath.PathLike) -> Origin:
    """What the latents in a folder were made from.

    Raises:
      UserError: If it is damaged.
    """
    try:
        noted = Origin(**dataset_folder.metadata(path)[dataset_folder.LATENTS])
        if not all(isinstance(value, dict) for value in (noted.fields, noted.weights)):
            raise TypeError("fields and weights are no objects")
        return noted
    except (LookupError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r:.200}: prepare it with --overwrite") from None


def find(config: ConfigDict) -> epath.Path:
    """The folder of the cached latents that fit an experiment.

    Args:
      config: Config of an experiment that finetunes the published model that it names.

    Raises:
      UserError: If there are none, or more than one. The message says what differs.
    """
    root, dataset = epath.Path(config.data.data_dir), config.data.dataset
    remedy = "cache them with painting_jax.prepare --cache_latents"
    found = {
        path: made
        for path, made in ((path, read_origin(path)) for path in dataset_folder.find_cached(root))
        if f"{made.dataset}/".startswith(f"{dataset}/" if dataset else "")
    }
    if not found:
        of = f" of {dataset}" if dataset else ""
        raise UserError(f"{root} holds no cached latents{of}: {remedy}")
    fields, weights = _fields(config), _weights(config)
    wrong = {}
    for path, made in found.items():
        pictures = root / made.dataset
        # Where the pictures have been left behind, they cannot have changed.
        there = dataset_folder.fingerprint(pictures) if pictures.exists() else made.fingerprint
        wanted = Origin(made.dataset, there, fields, weights, made.dtype)
        wrong[path] = made.differences(wanted)
    fitting = [path for path in found if not wrong[path]]
    if not fitting:
        nearest = min(found, key=lambda path: len(wrong[path]))
        raise UserError(
            f"{nearest} holds latents of another experiment ({'; '.join(wrong[nearest][:4])}): "
            f"{remedy}"
        )
    if len(fitting) > 1:
        names = ", ".join(map(str, fitting))
        raise UserError(
            f"{root} holds several cached latents that fit, remove all but one: {names}"
        )
    return fitting[0]


def _fields(config: ConfigDict) -> dict[str, Any]:
    # As JSON has them, without tuples.
    sections = json.loads(config.to_json())
    sections["pretrained"]["dtype"] = frozen_dtype(config).name
    return {
        f"{section}.{name}": sections[section][name]
        for section, name in (field.split(".") for field in _FIELDS)
    }


def _weights(config: ConfigDict) -> dict[str, str]:
    folder = Folder.open(config.pretrained.path)
    return {
        name: fingerprint([folder.folder(part) for part in parts])
        for name, parts in _WEIGHTS.items()
        if name != "image_encoder" or config.model.image_dim
    }


def _shown(value: Any) -> str:
    return (",".join(value) or "none") if isinstance(value, list) else str(value)
