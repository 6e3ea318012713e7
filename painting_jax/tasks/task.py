"""The task of an experiment: model, trained parameters and objective.

The training loop knows an experiment only through this interface.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from painting_jax import media
from painting_jax.data import buckets, pipeline
from painting_jax.data.buckets import Shapes
from painting_jax.data.records import Records
from painting_jax.diffusion import cross_media, losses
from painting_jax.diffusion.flow_matching import NoiseDistribution
from painting_jax.diffusion.reverse_painting import Objective
from painting_jax.diffusion.sampling import Network, Sampling
from painting_jax.models.family import VideoModel, get_family
from painting_jax.sharding.attention import Strategy
from painting_jax.text.conditioner import TextConditioner


class Task(abc.ABC):
    """A model, the choice of its trained parameters, and its objective.

    `params` are the trained parameters, which checkpoints hold. `frozen` is a tree of arrays that
    never change: parameters of the encoders (see `VideoModel.encoders`) and other arrays that a
    task needs. Both are arguments of compiled functions.

    Attributes:
      config: Config of the experiment.
      model: Model that is trained.
      objective: Objective by which training examples are drawn and their loss is computed.
      frames: Number of frames of a recorded process in a training example.
      full_finetune: Whether all of the transformer is trained, rather than adapters.
      origin: Where the initial parameters come from, for the log.
    """

    full_finetune: bool = True
    origin: str

    def __init__(
        self,
        config: ConfigDict,
        model: VideoModel,
        sigma_range: tuple[float, float] = (0.0, 1.0),
    ):
        self.config = config
        self.model = model
        self.objective = make_objective(config, sigma_range)
        self.frames = config.data.frames - model.conditioning_frames

    @property
    def shapes(self) -> Shapes:
        """The shapes of the pictures that it is trained on."""
        return shapes_of(self.config, self.model)

    @property
    def experts(self) -> int:
        """Number of transformers of the model. One of them is trained."""
        return 1

    @property
    def boundary(self) -> float | None:
        """Noise level below which the second of two experts takes over; None for one expert."""
        return None

    @abc.abstractmethod
    def init_params(self) -> dict:
        """Initial trained parameters, made from the seed."""

    def params_shapes(self) -> dict:
        """Shapes and dtypes of `init_params`."""
        return jax.eval_shape(self.init_params)

    def load_params(self, mesh: Mesh) -> dict | None:
        """Initial trained parameters, read from files; None if `init_params` makes them."""
        del mesh
        return None

    def load_frozen(self, mesh: Mesh, text_conditioner: TextConditioner) -> dict:
        """Frozen parameters, read from files."""
        del mesh, text_conditioner
        return {}

    def load_without_encoders(self, mesh: Mesh, empty_text_LD: Float[np.ndarray, "l d"]) -> dict:
        """Frozen parameters for training on latents that were encoded beforehand.

        Args:
          mesh: Mesh to lay them out on.
          empty_text_LD: Embedding of the empty prompt.
        """
        del mesh, empty_text_LD
        return {}

    @abc.abstractmethod
    def text_conditioner(
        self, workdir: epath.PathLike, sources: Sequence[Records], mesh: Mesh
    ) -> TextConditioner:
        """Makes the text conditioner, which turns captions and media into arrays of a batch.

        Args:
          workdir: Folder of the run, where tokenizer and text embeddings are kept.
          sources: Datasets whose captions will be used, the training set first. May be empty for
            a run that has begun.
          mesh: Mesh for a text encoder, which is freed before this returns.
        """

    def examples(
        self, text_conditioner: TextConditioner, **probabilities: float
    ) -> pipeline.Examples:
        """Makes the maker of rows of pictures.

        Args:
          text_conditioner: Encoder of the captions.
          **probabilities: `variant_probability`, `caption_probability` and `part_probability` of a
            training.
        """
        data, model = self.config.data, self.config.model
        own = not self.model.family.published
        return pipeline.Examples(
            frames=self.frames,
            height=data.height,
            width=data.width,
            text_conditioner=text_conditioner,
            media=model.media,
            buckets=self.shapes.buckets,
            even_frames=not self.model.family.told_progress,
            with_behind=own and model.behind_guides,
            with_canvas=own and model.canvas_guides,
            **probabilities,
        )

    @abc.abstractmethod
    def network(self, params: dict, frozen: dict, expert: int | None = None) -> Network:
        """Graph and parameters of a transformer, for `nnx.merge`.

        Args:
          params: Trained parameters.
          frozen: Frozen parameters.
          expert: Index of the expert; None for the one that is trained.
        """

    def predict(
        self,
        params: dict,
        frozen: dict,
        noisy_BTHWC: Float[Array, "b t h w c"],
        sigma_B: Float[Array, " b"],
        conditions: Any,
    ) -> Float[Array, "b t h w c"]:
        """Output of the trained network, clean latents or their velocity."""
        transformer = nnx.merge(*self.network(params, frozen))
        return self.model.family.predict(transformer, noisy_BTHWC, 1000 * sigma_B, conditions)[0]

    def networks(self, params: dict, frozen: dict) -> list[Callable[[], Network]]:
        """Functions that load each transformer, in sampling order.

        Args:
          params: Parameters of the trained transformer.
          frozen: Frozen parameters.
        """
        params = self.model.family.for_sampling(params, self.config.sampling)
        return [functools.partial(self.network, params, frozen, i) for i in range(self.experts)]

    def sampling(self, **changes) -> Sampling:
        """The sampling settings of the config, with changes such as `steps=8`."""
        section = self.config.sampling
        guidance = changes.pop("guidance", section.guidance)
        sampling = Sampling(
            sampler=section.sampler,
            steps=section.steps,
            shift=section.shift,
            guidance=(guidance,) * self.experts,
            guide_on=tuple(section.guide_on),
            boundary=self.boundary,
        )
        return dataclasses.replace(sampling, **changes)

    def export(self, params: dict, workdir: epath.PathLike, *, final: bool) -> None:
        """Exports averaged parameters to the run's folder, if other programs can read them.

        All processes must call it.

        Args:
          params: Averaged parameters.
          workdir: Folder of the run.
          final: Whether these are the final parameters of the run.
        """
        del params, workdir, final


def make_model(config: ConfigDict) -> VideoModel:
    """The model of an experiment, with the sizes that its config states."""
    family = get_family(config.model.family)
    return VideoModel(
        family=family,
        config=family.config(config.model, tuple(config.model.media)),
        codec_config=family.codec_config(config.model),
        clean_prediction=config.objective.clean_prediction,
    )


def make_network(config: ConfigDict, model: VideoModel, rngs: nnx.Rngs) -> nnx.Module:
    """The network of an experiment, computed as its config says.

    Args:
      config: Config of the experiment.
      model: Its model.
      rngs: Random numbers for the initial parameters.
    """
    return model.family.make_transformer(model.config, rngs=rngs, **_execution(config))


def abstract_network(config: ConfigDict, model: VideoModel) -> nnx.Module:
    """The network of an experiment with shapes in the place of arrays; see `make_network`."""
    return model.abstract_transformer(**_execution(config))


def _execution(config: ConfigDict) -> dict[str, Any]:
    """How the config says that the network is computed."""
    return {
        "dtype": jnp.dtype(config.model.dtype),
        "remat": config.model.remat,
        "strategy": Strategy(config.model.attention, config.mesh.ring),
    }


def shapes_of(config: ConfigDict, model: VideoModel) -> Shapes:
    """The shapes in which an experiment trains and paints.

    Args:
      config: Config of the experiment.
      model: Its model, whose latents and patches the shapes are made of.
    """
    data = config.data
    multiple = model.codec.spatial * config.model.patch[1]
    shapes = buckets.shapes(data.buckets, data.height * data.width, multiple)
    return Shapes(data.height, data.width, shapes)


def make_objective(config: ConfigDict, sigma_range: tuple[float, float] = (0.0, 1.0)) -> Objective:
    """The training objective of an experiment.

    Args:
      config: Config of the experiment.
      sigma_range: Range of noise levels in training, see `NoiseDistribution`.
    """
    objective = config.objective
    return Objective(
        noise=NoiseDistribution(
            objective.noise_distribution,
            objective.mean,
            objective.std,
            objective.shift,
            sigma_range,
        ),
        augment=objective.augment,
        looks_MA=tuple(
            tuple(float(look in medium.looks) for look in cross_media.LOOKS)
            for medium in media.entries(config.model.media)
        ),
        drop=objective.drop.to_dict(),
        huber=objective.huber,
        picture_terms={name: objective[name] for name in losses.PICTURE_TERMS},
    )
