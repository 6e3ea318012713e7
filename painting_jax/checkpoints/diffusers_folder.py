"""A diffusers folder of a Wan model: its components and its settings."""

import dataclasses
import os
import pathlib
from typing import Literal

from painting_jax.checkpoints import hub, lora_keys
from painting_jax.checkpoints.parts import part
from painting_jax.checkpoints.source import Source, open_source, read_json
from painting_jax.errors import UserError
from painting_jax.models.published_config import PublishedConfig, is_among
from painting_jax.models.wan.params import wan_config
from painting_jax.models.wan.transformer import WanConfig
from painting_jax.models.wan.vae import WanVAEConfig
from painting_jax.models.wan.vae_params import wan_vae_config

Sampler = Literal["unipc", "euler"]

TRANSFORMERS = ("transformer", "transformer_2")  # folders; the second expert is for low noise
# Entries of model_index.json for the two ways of image conditioning, see
# `models.wan.conditioning`.
FIRST_FRAME = {"_class_name": "WanImageToVideoPipeline", "expand_timesteps": True}
CONCATENATED = FIRST_FRAME | {"expand_timesteps": False}

_SCHEDULERS: dict[str, tuple[Sampler, str]] = {  # the sampler, and the name of its shift
    "UniPCMultistepScheduler": ("unipc", "flow_shift"),
    "FlowMatchEulerDiscreteScheduler": ("euler", "shift"),
}
# Settings that the samplers assume; every published scheduler has them. With these, all other
# settings of diffusers' schedulers have no effect.
_COMMON = {
    "num_train_timesteps": 1000,
    "use_dynamic_shifting": False,
    "shift_terminal": None,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
}
_FIXED: dict[Sampler, dict] = {
    "unipc": _COMMON
    | {
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "solver_order": 2,
        "solver_type": "bh2",
        "predict_x0": True,
        "thresholding": False,
        "lower_order_final": True,
        "disable_corrector": [],
        "solver_p": None,
        "final_sigmas_type": "zero",
    },
    "euler": _COMMON | {"invert_sigmas": False, "stochastic_sampling": False},
}
# diffusers' defaults for missing keys, where they differ from the settings above.
_DEFAULTS = {"prediction_type": "epsilon", "use_flow_sigmas": False}


def _transformer(file: str) -> Source:
    source = open_source(file)
    if lora_keys.is_lora(source.tensors):
        raise UserError(f"{file} is a LoRA: name it with --lora")
    return part(source, "transformer")


def _hint(name: str | os.PathLike, path: pathlib.Path) -> str:
    """What to name in the place of one of Wan's own repositories."""
    if os.fspath(name).startswith("Wan-AI/") and not os.fspath(name).endswith("-Diffusers"):
        return f", such as {name}-Diffusers"
    own = path / "config.json"
    if own.is_file() and read_json(own).get("_class_name") == "WanModel":
        return "; the weights of this one go to --transformer, beside such a folder"
    return ""


@dataclasses.dataclass(frozen=True)
class Expert:
    """One of a model's transformers.

    Attributes:
      source: its weights.
      config: its sizes.
    """

    source: Source
    config: WanConfig

    @classmethod
    def of(cls, source: Source) -> "Expert":
        """The transformer of these weights; errors as of `wan_config`."""
        return cls(source, wan_config(source))


@dataclasses.dataclass(frozen=True)
class Folder:
    """A published model, whose weights are read only on request.

    Attributes:
      name: name given by the user: a path or a hub id.
      path: path on disk; components of a hub model are downloaded on request.
      index: content of model_index.json.
      revision: branch, tag or commit on the hub.
    """

    name: str
    path: pathlib.Path
    index: dict
    revision: str | None = None

    @classmethod
    def open(cls, name: str | os.PathLike, *, revision: str | None = None) -> "Folder":
        """Locates a model on disk or on the hub.

        Raises:
          UserError: if the path is not a diffusers folder, or the hub does not provide it.
        """
        path = hub.local(name, folders=("scheduler",), revision=revision)
        index = path / "model_index.json"
        if not index.is_file():
            raise UserError(
                f"{name} is not a diffusers folder (it has no model_index.json): name one with "
                f"transformer, vae, text_encoder and tokenizer{_hint(name, path)}"
            )
        return cls(os.fspath(name), path, read_json(index), revision)

    @property
    def title(self) -> str:
        """The name in results: the hub id, or the folder's own name without its path."""
        return self.path.resolve().name if pathlib.Path(self.name).exists() else self.name

    def has(self, component: str) -> bool:
        """Whether the model has a component, such as "image_encoder".

        Raises:
          UserError: if the entry in model_index.json does not name a class of a library.
        """
        entry = self.index.get(component)
        if entry in (None, []):
            return False
        is_pair = isinstance(entry, list) and len(entry) == 2
        self._sizes.require(component, is_pair, "[library, class], or [null, null] for none")
        return entry[0] is not None

    def source(self, component: str) -> Source:
        """Opens a component's weights; errors as of `open_source`."""
        return open_source(self.name, component, revision=self.revision)

    def folder(self, component: str) -> pathlib.Path:
        """The path of a component's folder on disk.

        Raises:
          UserError: if the model has no such component.
        """
        path = hub.local(self.name, folders=(component,), revision=self.revision) / component
        if not path.is_dir():
            raise UserError(f"{path} does not exist: {self.name} lacks its {component}")
        return path

    def experts(self, files: tuple[str | None, ...] = ()) -> list[Expert]:
        """The transformers: one, or the high-noise and the low-noise expert of Wan2.2 A14B.

        Args:
          files: single files that replace the folder's transformers; None = the folder's own.

        Raises:
          UserError: if the weights cannot be read, or the experts have different sizes.
        """
        names = [name for name in TRANSFORMERS if name == TRANSFORMERS[0] or self.has(name)]
        if len(files) > len(names):
            raise UserError(f"{self.name} has one transformer: there is no second one to replace")
        files = (*files, *[None] * (len(names) - len(files)))
        sources = [
            _transformer(file) if file else self.source(name)
            for name, file in zip(names, files, strict=True)
        ]
        experts = [Expert.of(source) for source in sources]
        for expert in experts[1:]:
            if expert.config != experts[0].config:
                raise UserError(
                    f"{expert.source.name} has other sizes than {experts[0].source.name}: the "
                    "transformers for high and for low noise must have the same sizes"
                )
        return experts

    def vae(self) -> tuple[Source, WanVAEConfig]:
        """The weights and the sizes of the video autoencoder."""
        source = self.source("vae")
        return source, wan_vae_config(source)

    @property
    def boundary(self) -> float | None:
        """The noise level, 0..1, below which the second transformer is used; None = there is one.

        Raises:
          UserError: if there are two transformers and no boundary.
        """
        if not self.has("transformer_2"):
            return None
        boundary = self.index.get("boundary_ratio")
        if not isinstance(boundary, float) or not 0 < boundary < 1:
            raise UserError(
                f"{self.name} has two transformers, but its model_index.json has no boundary_ratio "
                "between 0 and 1: fetch it again"
            )
        return boundary

    @property
    def takes_first_frame(self) -> bool:
        """Whether the model was trained with a picture as first latent frame (Wan2.2 TI2V)."""
        return "expand_timesteps" in self.index and self._sizes.boolean("expand_timesteps")

    @property
    def _sizes(self) -> PublishedConfig:
        return PublishedConfig(self.index, f"{self.name}'s model_index.json")

    def sampler(self) -> tuple[Sampler, float]:
        """The sampler that the model is published with, and the shift of its noise levels.

        Raises:
          UserError: if the sampler is not implemented.
        """
        path = self.folder("scheduler") / "scheduler_config.json"
        settings = read_json(path)
        name = settings.get("_class_name")
        if not is_among(name, _SCHEDULERS):
            raise UserError(
                f"{path} names {name!s:.80}: only {' and '.join(_SCHEDULERS)} are implemented, "
                "choose with --sampler and --shift"
            )
        sampler, key = _SCHEDULERS[name]
        for fixed, required in _FIXED[sampler].items():
            value = settings.get(fixed, _DEFAULTS.get(fixed, required))
            # "Off" has several spellings: null, false, an empty list.
            if value != required and (value or required):
                raise UserError(
                    f"{path} has {fixed} = {value!s:.80}, only {required} is implemented: choose "
                    "with --sampler and --shift"
                )
        config = PublishedConfig({key: 1.0, **settings}, str(path))
        return sampler, float(config.number(key, above=0))
