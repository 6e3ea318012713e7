"""A diffusers folder of a Wan model: which components it has, and what they are."""

import dataclasses
import os
import pathlib

from painting_jax.checkpoints import hub
from painting_jax.checkpoints.source import Source, open_source, read_json
from painting_jax.diffusion.stepwise import Kind
from painting_jax.errors import UserError
from painting_jax.models.published_config import PublishedConfig, is_among
from painting_jax.models.wan.params import wan_config
from painting_jax.models.wan.transformer import WanConfig
from painting_jax.models.wan.vae import WanVAEConfig
from painting_jax.models.wan.vae_params import wan_vae_config

TRANSFORMERS = ("transformer", "transformer_2")  # folders, the second of them that for low noise
# What a model_index.json says of how a model takes a picture, see `models.wan_painting`.
FIRST_FRAME = {"_class_name": "WanImageToVideoPipeline", "expand_timesteps": True}
CONCATENATED = FIRST_FRAME | {"expand_timesteps": False}

_SCHEDULERS: dict[str, tuple[Kind, str]] = {  # kind of sampler, and what their shift is called
    "UniPCMultistepScheduler": ("unipc", "flow_shift"),
    "FlowMatchEulerDiscreteScheduler": ("euler", "shift"),
}
# What the samplers take for granted, as every published scheduler has it. What else diffusers'
# configs hold counts for nothing with these.
_COMMON = {
    "num_train_timesteps": 1000,
    "use_dynamic_shifting": False,
    "shift_terminal": None,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
}
_FIXED: dict[Kind, dict] = {
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
# Of a key that is not there diffusers takes the default, which is the same but for these.
_DEFAULTS = {"prediction_type": "epsilon", "use_flow_sigmas": False}


@dataclasses.dataclass(frozen=True)
class Expert:
    """One of a model's transformers.

    Attributes:
      source: of its weights.
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
    """A published model; of its weights nothing is read before it is asked for.

    Attributes:
      name: as the user has it: a path, or the hub's id.
      path: where it is on disk; components of a hub's are fetched as they are asked for.
      index: its model_index.json.
      revision: on the hub.
    """

    name: str
    path: pathlib.Path
    index: dict
    revision: str | None = None

    @classmethod
    def open(cls, name: str | os.PathLike, *, revision: str | None = None) -> "Folder":
        """Finds a model on disk or on the hub.

        Raises:
          UserError: if it is no diffusers folder, or the hub does not give it.
        """
        path = hub.local(name, folders=("scheduler",), revision=revision)
        index = path / "model_index.json"
        if not index.is_file():
            raise UserError(
                f"{name} is no diffusers folder (it has no model_index.json): name one with "
                "transformer, vae, text_encoder and tokenizer"
            )
        return cls(os.fspath(name), path, read_json(index), revision)

    @property
    def title(self) -> str:
        """What results call it: the hub's id, or the folder's own name."""
        return self.path.resolve().name if pathlib.Path(self.name).exists() else self.name

    def has(self, component: str) -> bool:
        """Whether the model has a component, such as "image_encoder".

        Raises:
          UserError: if what its model_index.json says of it is no library's class.
        """
        entry = self.index.get(component)
        if entry in (None, []):
            return False
        paired = isinstance(entry, list) and len(entry) == 2
        self._sizes.require(component, paired, "[library, class], or [null, null] for none")
        return entry[0] is not None

    def source(self, component: str) -> Source:
        """Opens a component's weights; errors as of `open_source`."""
        return open_source(self.name, component, revision=self.revision)

    def folder(self, component: str) -> pathlib.Path:
        """A component's folder on disk.

        Raises:
          UserError: if there is none.
        """
        path = hub.local(self.name, folders=(component,), revision=self.revision) / component
        if not path.is_dir():
            raise UserError(f"{path} does not exist: {self.name} lacks its {component}")
        return path

    def experts(self, files: tuple[str | None, ...] = ()) -> list[Expert]:
        """The transformers: one, or of Wan2.2 A14B that for high noise and that for low noise.

        Args:
          files: single files in their stead; None = the folder's own.

        Raises:
          UserError: if they cannot be read, or are of different kinds.
        """
        names = [name for name in TRANSFORMERS if name == TRANSFORMERS[0] or self.has(name)]
        if len(files) > len(names):
            raise UserError(f"{self.name} has one transformer: there is no second one to replace")
        files = (*files, *[None] * (len(names) - len(files)))
        sources = [
            open_source(file) if file else self.source(name)
            for name, file in zip(names, files, strict=True)
        ]
        experts = [Expert.of(source) for source in sources]
        for expert in experts[1:]:
            if expert.config != experts[0].config:
                raise UserError(
                    f"{expert.source.name} has other sizes than {experts[0].source.name}: the "
                    "transformers for high and for low noise must be of one kind"
                )
        return experts

    def vae(self) -> tuple[Source, WanVAEConfig]:
        """The video autoencoder and its sizes."""
        source = self.source("vae")
        return source, wan_vae_config(source)

    @property
    def boundary(self) -> float | None:
        """The noise level, 0..1, from which on downwards the second transformer paints.

        Raises:
          UserError: if there are two transformers and none is told.
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
        """Whether it was trained to take a picture as the first latent frame (Wan2.2 TI2V)."""
        return "expand_timesteps" in self.index and self._sizes.boolean("expand_timesteps")

    @property
    def _sizes(self) -> PublishedConfig:
        return PublishedConfig(self.index, f"{self.name}'s model_index.json")

    def sampler(self) -> tuple[Kind, float]:
        """The sampler that the model is published with, and the shift of its noise levels.

        Raises:
          UserError: if it is none that is implemented.
        """
        path = self.folder("scheduler") / "scheduler_config.json"
        settings = read_json(path)
        name = settings.get("_class_name")
        if not is_among(name, _SCHEDULERS):
            raise UserError(
                f"{path} is of {name}: {' and '.join(_SCHEDULERS)} are known, choose with "
                "--sampler and --shift"
            )
        kind, key = _SCHEDULERS[name]
        for fixed, known in _FIXED[kind].items():
            value = settings.get(fixed, _DEFAULTS.get(fixed, known))
            # Off is written in several ways: null, false, an empty list.
            if value != known and (value or known):
                raise UserError(
                    f"{path} has {fixed} = {value}, {known} is known: choose with --sampler and "
                    "--shift"
                )
        return kind, float(PublishedConfig({key: 1.0, **settings}, str(path)).number(key, above=0))
