"""Model families: what tells one kind of video diffusion transformer from another.

Tasks, generation and conversion know a family only through this interface. Adding a video
transformer is one folder with a `family.py` and one line in `FAMILIES`.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from painting_jax.models.abstract import abstract
from painting_jax.models.block_residual import Reuse
from painting_jax.models.codec import Codec
from painting_jax.models.tensor_names import NOTHING, PublishedWeights, Table

# Name in `config.model.family` -> where its `Family` is, as module:attribute.
FAMILIES: dict[str, str] = {
    "painting": "painting_jax.models.painting.family:PAINTING",
    "wan21": "painting_jax.models.wan.family:WAN21",
    "wan22": "painting_jax.models.wan.family:WAN22",
}


@functools.cache
def _load(place: str) -> "Family":
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def get_family(name: str) -> "Family":
    """The family of a name in `FAMILIES`."""
    return _load(FAMILIES[name])


def family_of_codec(config: Any) -> "Family":
    """The family that published weights with a codec of these sizes belong to."""
    return next(
        family
        for family in map(get_family, FAMILIES)
        if family.published and family.has_codec(config)
    )


class Work(NamedTuple):
    """Work of a forward pass on one video.

    Attributes:
      tokens: Number of tokens.
      forward: Useful FLOPs.
      attention: Those among them of the products of attention, which multiply activations with
        activations and not with weights.
    """

    tokens: int
    forward: float
    attention: float


# The last is only read: that of Wan's own repositories where ComfyUI's files have another one.
Layout = Literal["diffusers", "comfyui", "original"]


@dataclasses.dataclass(frozen=True)
class Component:
    """A kind of network that published models are made of.

    Attributes:
      name: Name of its folder in a diffusers model, such as "vae".
      kinds: Class or type that its config.json states.
      read_config: Its sizes, from published weights.
      make: Its module for these sizes, which computes in a dtype. That of a transformer also takes
        `strategy`, that of attention.
      tables: Tables of tensor names for these sizes, for each layout it is published in.
      to_json: Content of its config.json for these sizes; None = it always comes with one.
      tensors: Regex of a tensor's name, without prefix, that tells the component in a single file.
      stem: Stem of its files' names.
      float32: Regex of our paths that stay float32 when the rest is loaded in less.
      float32_converted: Regex of our paths that stay as they are when others are converted to less.
      decoder: Names of the parts of our module that decode, of an autoencoder.
    """

    name: str
    kinds: tuple[str, ...]
    read_config: Callable[[PublishedWeights], Any]
    make: Callable[..., nnx.Module]
    tables: Callable[[Any], Mapping[Layout, Table]]
    to_json: Callable[[Any], dict] | None = None
    tensors: str = NOTHING
    stem: str = "diffusion_pytorch_model"
    float32: str = NOTHING
    float32_converted: str = NOTHING
    decoder: tuple[str, ...] = ()


def published_components() -> list[Component]:
    """The components of all published families, each once."""
    families = map(get_family, FAMILIES)
    return list({c.name + c.kinds[0]: c for f in families for c in f.components}.values())


@dataclasses.dataclass(frozen=True)
class Encoders:
    """Frozen networks that make latents and conditions.

    Attributes:
      codec: Picture space.
      image_encoder: Pictures to image tokens, for transformers that take them.
      empty_text_LD: Embedding of the empty prompt, for families whose text is embedded.
    """

    codec: Codec
    image_encoder: Any = None
    empty_text_LD: Float[Array, "l d"] | None = None


class NetworkDecoder(Protocol):
    """How a network makes the video from latents that are means of its pixels.

    Its methods are pure and may be traced.
    """

    def with_window(self, key: PRNGKeyArray, conditions: Any, patch: tuple[int, int, int]) -> Any:
        """Conditions of a training example whose network also predicts a part of the video.

        Args:
          key: Random key of the place of the part.
          conditions: Conditions.
          patch: Patch of the transformer.
        """
        ...

    def target(
        self,
        clean_BTHWC: Float[Array, "b t h w c"],
        video_BTHWC: Float[Array, "b t h2 w2 3"],
        conditions: Any,
    ) -> Float[Array, "b t2 h w c"]:
        """What the network is to predict under conditions with a window.

        Args:
          clean_BTHWC: Clean latents.
          video_BTHWC: The video that they stand for, RGB in [-1, 1].
          conditions: Conditions.
        """
        ...

    def paint(
        self,
        transformer: nnx.Module,
        noisy_BTHWC: Float[Array, "b t h w c"],
        timestep_B: Float[Array, " b"],
        conditions: Any,
    ) -> Float[Array, "b t h2 w2 3"]:
        """The clean video at the size of the picture, from latents of the last step."""
        ...

    def latents_alone(self, conditions: Any) -> Any:
        """The conditions without what the network decodes with."""
        ...


class Family(Protocol):
    """A family of video diffusion transformers. Its methods are pure and may be traced.

    Videos and conditions are in reverse painting order, finished picture first.

    Attributes:
      published: Whether it has published weights to start from; otherwise it is trained from
        random parameters.
      components: Networks that its published models are made of.
      droppable: Names of the conditions that can be dropped, and that guidance can act on.
      told_progress: Whether its models are told the progress of each frame.
      conditions: Dataclass of what `condition` returns, a tree of arrays. In published families,
        its field `text_BLD` is that of the batch, and no other depends on the prompt.
      frames: Frames of a video that the published weights make by default.
      max_area: Largest area of their frames, in pixels.
      network_decoder: How its networks make the video from latents of more than one pixel; None
        where a codec does.
    """

    published: bool
    components: tuple[Component, ...]
    droppable: tuple[str, ...]
    told_progress: bool
    conditions: type
    frames: int
    max_area: int
    network_decoder: NetworkDecoder | None

    def __hash__(self) -> int: ...

    def config(self, model: Mapping, media: tuple[str, ...]) -> Any:
        """Sizes of the transformer, hashable, from the section `model` of an experiment."""
        ...

    def codec_config(self, model: Mapping) -> Any:
        """Sizes of the codec, hashable: those that the family was published with.

        Args:
          model: Section `model` of an experiment.
        """
        ...

    def has_codec(self, config: Any) -> bool:
        """Whether published weights with a codec of these sizes belong to the family."""
        ...

    def make_codec(self, config: Any) -> Codec:
        """The picture space; an nnx module where it has parameters."""
        ...

    def make_image_encoder(self, config: Any) -> nnx.Module:
        """The image encoder; asked for only where a model has one."""
        ...

    def make_transformer(
        self, config: Any, *, rngs: nnx.Rngs, dtype=jnp.float32, **execution
    ) -> nnx.Module:
        """The network that is trained.

        Args:
          config: Config of the network.
          rngs: Random numbers for the initial parameters.
          dtype: Dtype of the computation.
          **execution: How it is computed, with the same result: `remat`, a key of `remat.POLICIES`,
            and `strategy`, that of attention.
        """
        ...

    def conditioning_frames(self, config: Any, codec: Codec) -> int:
        """Number of frames at the beginning of a video that the model is given."""
        ...

    def condition(
        self,
        config: Any,
        encoders: Encoders,
        batch: dict[str, Array],
        reference_BHWC: Float[Array, "b h w 3"],
    ) -> Any:
        """Conditions of a batch, a tree of arrays; the same in training and in sampling.

        Args:
          config: Sizes of the transformer.
          encoders: Frozen networks.
          batch: Arrays of `data.pipeline`, in painted order. `progress_BT` has as many frames as
            the process.
          reference_BHWC: Conditioning pictures, RGB in [-1, 1].
        """
        ...

    def drop(
        self, conditions: Any, dropped_B: dict[str, Bool[Array, " b"]], encoders: Encoders
    ) -> Any:
        """Replaces conditions by their empty value in the samples where `dropped_B` is set."""
        ...

    def predict(
        self,
        transformer: nnx.Module,
        noisy_BTHWC: Float[Array, "b t h w c"],
        timestep_B: Float[Array, " b"],
        conditions: Any,
        reuse: Reuse | None = None,
    ) -> tuple[Float[Array, "b t h w c"], Float[Array, "b s d"] | None]:
        """Output of the network, clean latents or their velocity, at timesteps in 0..1000.

        Args:
          transformer: Network.
          noisy_BTHWC: Noisy latents.
          timestep_B: Noise level in 0..1000.
          conditions: Conditions.
          reuse: A residual of an earlier step that may replace the blocks.

        Returns:
          The output, and the residual of the network's blocks, see `block_residual`; None for a
          network without one, of which no step can be skipped.
        """
        ...

    def restore_conditioning_frames(
        self, latents_BTHWC: Float[Array, "b t h w c"], conditions: Any
    ) -> Float[Array, "b t h w c"]:
        """Puts the frames that the model is given into place; without any, changes nothing."""
        ...

    def for_sampling(self, params: dict, sampling: Mapping) -> dict:
        """Parameters as they are sampled with, given the section `sampling` of an experiment."""
        ...

    def with_media(self, config: Any, params: dict, fresh: dict, names: Sequence[str]) -> dict:
        """Parameters for other media: rows are copied by name, those of new media are fresh.

        Args:
          config: Sizes of the transformer that the parameters are for.
          params: Parameters of the same transformer for other media.
          fresh: Initial parameters of the transformer.
          names: Media of `params`, in the order of their rows.
        """
        ...

    def work(
        self, config: Any, codec: Codec, video_THW: tuple[int, int, int], text_tokens: int
    ) -> Work:
        """Work of a forward pass on a video."""
        ...


@dataclasses.dataclass(frozen=True)
class VideoModel:
    """A model of a family, without its arrays: hashable, so that it can be static under jit.

    Attributes:
      family: Its family.
      config: Sizes of its transformer.
      codec_config: Sizes of its codec.
      image_encoder_config: Sizes of its image encoder; None for a model without one.
      clean_prediction: Whether the network predicts the clean sample or the velocity.
    """

    family: Family
    config: Any
    codec_config: Any
    image_encoder_config: Any = None
    clean_prediction: bool = False

    @property
    def codec(self) -> Codec:
        """The codec's extents; where it has parameters, they are shapes alone."""
        return _codec(self.family, self.codec_config)

    @property
    def network_decoder(self) -> NetworkDecoder | None:
        """How the network makes the video from its last latents; None where the codec does."""
        return self.family.network_decoder if self.codec.spatial > 1 else None

    @property
    def conditioning_frames(self) -> int:
        """Number of frames at the beginning of a video that the model is given."""
        return self.family.conditioning_frames(self.config, self.codec)

    def abstract_transformer(self, **execution) -> nnx.Module:
        """The transformer with shapes in the place of arrays; arguments as of the family's."""
        return abstract(_transformer, self.family, self.config, **execution)

    def encoders(self, frozen: Mapping) -> Encoders:
        """The frozen networks with their parameters.

        Args:
          frozen: Parameters "codec" and "image_encoder" and the array "empty_text_LD", each where
            the model has it. Without its parameters, a codec has extents alone; with those of its
            `Component.decoder`, it can only decode.
        """
        codec, image_encoder = self.codec, None
        if "codec" in frozen:
            graph, shapes = nnx.split(codec)
            # Parts that were not loaded stay shapes.
            codec = nnx.merge(graph, nnx.to_pure_dict(shapes) | frozen["codec"])
        if "image_encoder" in frozen:
            image_encoder = abstract(self.family.make_image_encoder, self.image_encoder_config)
            image_encoder = nnx.merge(nnx.graphdef(image_encoder), frozen["image_encoder"])
        return Encoders(codec, image_encoder, frozen.get("empty_text_LD"))


@functools.cache
def _codec(family: Family, config: Any) -> Codec:
    codec = family.make_codec
    is_module = family.published and config is not None
    return abstract(codec, config) if is_module else codec(config)


def _transformer(family: Family, config: Any, **execution) -> nnx.Module:
    return family.make_transformer(config, rngs=nnx.Rngs(0), **execution)


def drop_randomly(
    key: PRNGKeyArray,
    family: Family,
    conditions: Any,
    probabilities: Mapping[str, float],
    encoders: Encoders,
) -> Any:
    """Drops each condition of each sample with its probability, independently of the others."""
    batch = jax.tree.leaves(conditions)[0].shape[0]
    dropped_B = {
        name: jax.random.bernoulli(jax.random.fold_in(key, i), probabilities[name], (batch,))
        for i, name in enumerate(family.droppable)
    }
    return family.drop(conditions, dropped_B, encoders)


def negative_conditions(
    family: Family, conditions: Any, guide_on: tuple[str, ...], encoders: Encoders
) -> Any:
    """The conditions that guidance leads away from: those guided on replaced by empty ones."""
    batch = jax.tree.leaves(conditions)[0].shape[0]
    return family.drop(conditions, dict.fromkeys(guide_on, jnp.ones(batch, bool)), encoders)
