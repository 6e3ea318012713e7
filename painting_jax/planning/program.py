"""The training step of an experiment, compiled from shapes alone: no weights, no data, no devices.

Latents are those cached beforehand, so that encoding is no part of it.
"""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax.diffusion import reverse_painting
from painting_jax.diffusion.model_velocity import guided_velocity
from painting_jax.models.abstract import abstract
from painting_jax.models.clip.modeling import CLIPVisionConfig
from painting_jax.models.family import negative_conditions
from painting_jax.models.quantised_kernel import quantised
from painting_jax.sharding.rules import batch_sharding, replicated, tree_shardings
from painting_jax.tasks import published
from painting_jax.tasks.finetune import Finetune
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.tasks.task import Task, make_model
from painting_jax.training.state import abstract_state
from painting_jax.training.step import TrainMetrics, jit_train_step

_HEAD = 80  # Width of a head of CLIP ViT-H/14, Wan2.1's image encoder, which has 32 layers.


class _Unloaded(Finetune):
    """A finetuning of which only the sizes are known, those of its config."""

    def __init__(self, config: ConfigDict):
        model = make_model(config)
        dim = model.config.image_dim
        if dim:
            encoder = CLIPVisionConfig(dim, 32, max(1, dim // _HEAD), 4 * dim)
            model = dataclasses.replace(model, image_encoder_config=encoder)
        Task.__init__(self, config, model)
        self.full_finetune = not config.lora.enabled
        self._expert, self._boundary = 0, None
        self._dtype = published.frozen_dtype(config)

    def frozen(self) -> dict:
        """Shapes of what the training step needs of the frozen arrays."""
        section = self.config.model
        frozen = {"empty_text_LD": _array(self.config.data.text_length, section.text_dim)}
        if not self.full_finetune:
            params = nnx.to_pure_dict(nnx.state(self._abstract, nnx.Param))
            frozen["transformer"] = self._as_loaded(params)
        return frozen

    def _as_loaded(self, params: dict) -> dict:
        component = next(c for c in self.model.family.components if c.name == "transformer")

        def loaded(path, leaf):
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            if name.removesuffix("/kernel") in self._quantised:
                return jax.eval_shape(quantised, leaf)
            precise = re.search(component.float32, name)
            return _array(*leaf.shape, dtype="float32" if precise else self._dtype)

        return jax.tree_util.tree_map_with_path(loaded, params)


def task_of(config: ConfigDict) -> Task:
    """The task of an experiment, of which nothing is loaded."""
    return _Unloaded(config) if published.is_finetuned(config) else FromScratch(config)


def lowered_step(config: ConfigDict, mesh: Mesh) -> jax.stages.Lowered:
    """Lowers the training step of an experiment for a mesh.

    Args:
      config: Config of the experiment, whose values fit together.
      mesh: Mesh of devices, which need not exist.
    """
    with jax.set_mesh(mesh):
        task = task_of(config)
        state = abstract_state(task, mesh)
        frozen, batch = inputs(task, mesh)
        running = jax.tree.map(
            lambda leaf: _with(leaf, replicated(mesh)), jax.eval_shape(TrainMetrics.empty)
        )
        step = jit_train_step(task, state, running)
        return step.lower(state, running, batch, frozen)


def lowered_generation(config: ConfigDict, mesh: Mesh) -> jax.stages.Lowered:
    """Lowers one step of sampling, with guidance if the experiment samples with it.

    Args:
      config: Config of the experiment, whose values fit together.
      mesh: Mesh of devices, which need not exist. Each along data and fsdp paints one video.
    """
    videos = mesh.shape["data"] * mesh.shape["fsdp"]
    other = config.copy_and_resolve_references()
    other.data.batch_size = videos
    with jax.set_mesh(mesh):
        task = task_of(other)
        params = task.params_shapes()
        params = _placed(params, tree_shardings(params, mesh))
        frozen, batch = inputs(task, mesh)
        sigma = _with(_array(), replicated(mesh))
        section, model = config.sampling, task.model
        guide_on, scale = tuple(section.guide_on), section.guidance

        def step(params, frozen, noisy, sigma, conditions):
            conditions = model.family.conditions(**conditions)
            negative = negative_conditions(
                model.family, conditions, guide_on, model.encoders(frozen)
            )
            network = nnx.merge(*task.network(params, frozen))
            given = (sigma, 1000 * sigma, conditions, negative, None if scale == 1 else scale)
            velocity, _ = guided_velocity(model, network, noisy, *given)
            return noisy - velocity

        latents, conditions = (
            batch[name] for name in (reverse_painting.LATENTS, reverse_painting.CONDITIONS)
        )
        return jax.jit(step, donate_argnums=2).lower(params, frozen, latents, sigma, conditions)


def inputs(task: Task, mesh: Mesh) -> tuple[dict, dict]:
    """Shapes of the frozen arrays and of a batch, laid out on a mesh."""
    frozen = task.frozen() if isinstance(task, _Unloaded) else {}
    batch = jax.tree.map(lambda leaf: _with(leaf, batch_sharding(mesh)), encoded_batch(task))
    return _placed(frozen, tree_shardings(frozen, mesh)), batch


def encoded_batch(task: Task) -> dict[str, Any]:
    """Shapes of a batch that was encoded beforehand."""
    pictures = pictures_of(task)

    def encode(batch, frozen):
        reference_BHWC = reverse_painting.to_float(batch["reference_BHWC"])
        encoders = task.model.encoders(frozen)
        return reverse_painting.encode(batch, reference_BHWC, task.model, encoders)

    latents, conditions = jax.eval_shape(encode, pictures, encoders_of(task))
    arrays = reverse_painting.by_name(conditions)
    judged = {"judged_BHW": pictures["judged_BHW"]} if "judged_BHW" in pictures else {}
    return {reverse_painting.LATENTS: latents, reverse_painting.CONDITIONS: arrays, **judged}


def encoders_of(task: Task) -> dict[str, Any]:
    """Shapes of the parameters of the encoders."""
    model, params = task.model, {}
    if isinstance(model.codec, nnx.Module):
        params["codec"] = nnx.to_pure_dict(nnx.state(model.codec, nnx.Param))
    if model.image_encoder_config is not None:
        encoder = abstract(model.family.make_image_encoder, model.image_encoder_config)
        params["image_encoder"] = nnx.to_pure_dict(nnx.state(encoder, nnx.Param))
    return params


def pictures_of(task: Task) -> dict[str, Any]:
    """Shapes of a batch of `data.pipeline`."""
    data, section = task.config.data, task.config.model
    b, size = data.batch_size, (data.height, data.width)
    if published.is_finetuned(task.config):
        text = {"text_BLD": _array(b, data.text_length, section.text_dim)}
    else:
        text = {"text_BL": _array(b, data.text_length, dtype="int32")}
    return {
        "frames_BTHWC": _array(b, task.frames, *size, 3, dtype="uint8"),
        "progress_BT": _array(b, task.frames),
        "medium_BM": _array(b, len(section.media)),
        **text,
        "reference_BHWC": _array(b, *size, 3, dtype="uint8"),
        "other_look_B": _array(b, dtype="bool"),
        "segments_BHW": _array(b, *size, dtype="uint8"),
        **({"judged_BHW": _array(b, *size, dtype="uint8")} if data.buckets else {}),
    }


def _array(*shape: int, dtype="float32") -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.dtype(dtype))


def _with(leaf, sharding) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _placed(tree, shardings):
    return jax.tree.map(_with, tree, shardings)
