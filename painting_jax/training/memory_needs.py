"""What a training needs of memory, from shapes alone, compared with what there is.

The estimate is a low one: parameters, their average, Adam's moments and the gradient exactly;
activations by the widths of the blocks; nothing for the compiler's own use. A training that is
refused cannot run; one that is taken may still run out of memory (`painting_jax.memory.explained`).
"""

import dataclasses
import math
from collections.abc import Collection, Mapping

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax import memory
from painting_jax.checkpoints import lora_keys
from painting_jax.errors import UserError
from painting_jax.models import lora, remat
from painting_jax.models.family import VideoModel
from painting_jax.sharding.rules import tree_shardings
from painting_jax.tasks.published import frozen_dtype, is_finetuned, is_quantised
from painting_jax.tasks.task import abstract_network, make_model

_HOST = "this machine"
# Bytes of a trained parameter, its second moment and its gradient.
_TRAINED = 12
# Activations that the backward pass of a block needs, in widths of the model and of its hidden
# layer: inputs of the linear layers, queries, keys, values and outputs of two attentions.
_WIDTHS, _HIDDEN_WIDTHS = 10, 2
# Batches of pictures that the host holds, see `pipeline.iterate`.
_BATCHES = 5
# Copies of a batch's latents in float32 on the devices: clean, noise, noisy.
_VIDEOS = 3


@dataclasses.dataclass(frozen=True)
class Needs:
    """Bytes that a training needs.

    Attributes:
      state: On each device, for the trained parameters and what belongs to them.
      frozen: On each device, for frozen networks.
      activations: On each device, for a part of a batch.
      batches: On the host, for the pictures of batches.
    """

    state: int
    frozen: int
    activations: int
    batches: int

    @property
    def device(self) -> int:
        return self.state + self.frozen + self.activations


def estimate(config: ConfigDict, mesh: Mesh) -> Needs:
    """Estimates the memory that a training needs. Nothing is allocated.

    Args:
      config: Config of the experiment, whose values fit together.
      mesh: Mesh that it will run on.
    """
    model = make_model(config)
    transformer = abstract_network(config, model)
    params = nnx.to_pure_dict(nnx.state(transformer, nnx.Param))
    # Random weights come with a tiny autoencoder. Of that of cached latents, a part is loaded.
    loaded = config.pretrained.path and not config.data.cached_latents
    frozen = _codec_bytes(model) if loaded else 0
    if config.lora.enabled:
        adapted = lora_keys.targets(config.lora.targets, lora.kernels(transformer))
        trained = _lora_size(config, adapted)
        kernels = {f"{path}/kernel" for path in adapted} if is_quantised(config) else ()
        frozen += _bytes(params, mesh, frozen_dtype(config), int8=kernels)
    else:
        trained = _bytes(params, mesh, "int8")
    if config.pretrained.expert:
        frozen += _bytes(params, mesh, frozen_dtype(config))
    data = config.data
    # Latents are a small part of their pictures.
    pixels = 0 if data.cached_latents else data.frames * data.height * data.width * 3
    return Needs(
        state=bytes_of_state(config) * trained,
        frozen=frozen,
        activations=_activations(config, model, mesh),
        batches=_BATCHES * data.batch_size * pixels // jax.process_count(),
    )


def check(config: ConfigDict, mesh: Mesh) -> None:
    """Compares what a training needs with what the devices and this machine have.

    Arguments as of `estimate`.

    Raises:
      UserError: If there is less. The message has the numbers and says what to lower.
    """
    needs = estimate(config, mesh)
    devices = mesh.local_devices
    there = memory.of_device(devices[0])
    if there is None:
        # The devices are the cores of this machine, and their memory is its memory.
        whole = len(devices) * needs.device + needs.batches
        _compare(config, needs, whole, memory.host(), _HOST)
    else:
        _compare(config, needs, needs.device, there, "a device")
        _compare(config, needs, needs.batches, memory.host(), _HOST)


def _compare(config: ConfigDict, needs: Needs, needed: int, there: int, where: str) -> None:
    if needed <= there:
        return
    parts = {
        "the trained parameters, their average, gradient and moments": needs.state,
        "frozen weights": needs.frozen,
        "activations": needs.activations,
        "batches of pictures": needs.batches,
    }
    said = ", ".join(f"{memory.in_words(size)} for {name}" for name, size in parts.items() if size)
    raise UserError(
        f"this training needs at least {memory.in_words(needed)} of memory ({said}), {where} has "
        f"{memory.in_words(there)}: {advice(config, needs, on_host=where == _HOST)}"
    )


def advice(config: ConfigDict, needs: Needs | None = None, *, on_host: bool = False) -> str:
    """What to change for a training to need less memory.

    Args:
      config: Config of the experiment.
      needs: Estimate, if there is one: the advice is for its larger part.
      on_host: Whether it is the machine that has too little, and not its devices.
    """
    data, model = config.data, config.model
    video = f"{data.frames} frames of {data.height}x{data.width}"
    by_batch = f"lower config.data.batch_size={data.batch_size} or the size of videos ({video})"
    if data.batch_size > config.optimizer.gradient_accumulation_steps:
        by_batch += ", raise config.optimizer.gradient_accumulation_steps"
    if model.remat == "none":
        by_batch += ", set config.model.remat=full"
    by_size = (
        f"take a smaller model, with less than config.model.layers={model.layers} and "
        f"config.model.dim={model.dim}"
    )
    if is_finetuned(config):
        by_size = "take the config of smaller weights"
        if not config.lora.enabled:
            by_size += ", train a LoRA with config.lora.enabled=True"
        elif not is_quantised(config):
            by_size += ", freeze the weights in config.pretrained.dtype=int8"
    if not on_host:
        by_size += ", share parameters among more devices with config.mesh.fsdp"
    if needs is None:
        return f"{by_batch}, {by_size}"
    of_model = needs.state + needs.frozen
    return by_size if of_model > needs.activations + needs.batches else by_batch


def bytes_of_state(config: ConfigDict) -> int:
    """Bytes that belong to a trained parameter: it, its average, moments and gradient."""
    optimizer = config.optimizer
    return _TRAINED + 4 * optimizer.ema + jnp.dtype(optimizer.momentum_dtype).itemsize


def _bytes(params: dict, mesh: Mesh, dtype, int8: Collection[str] = ()) -> int:
    """Bytes of a device's share of parameters, given as shapes; of those at some paths in int8."""
    itemsize = jnp.dtype(dtype).itemsize

    def share(path, leaf, sharding):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        return (1 if name in int8 else itemsize) * math.prod(sharding.shard_shape(leaf.shape))

    shares = jax.tree_util.tree_map_with_path(share, params, tree_shardings(params, mesh))
    return sum(jax.tree.leaves(shares))


def _lora_size(config: ConfigDict, adapted: Mapping[str, tuple[int, ...]]) -> int:
    """Number of parameters of the adapters, given the shapes of their layers' kernels."""
    return sum(
        math.prod(stack) * config.lora.rank * (inputs + outputs)
        for *stack, inputs, outputs in adapted.values()
    )


def _codec_bytes(model: VideoModel) -> int:
    if not isinstance(model.codec, nnx.Module):
        return 0
    leaves = jax.tree.leaves(nnx.to_pure_dict(nnx.state(model.codec, nnx.Param)))
    return 4 * sum(math.prod(leaf.shape) for leaf in leaves)


def _activations(config: ConfigDict, model: VideoModel, mesh: Mesh) -> int:
    """Bytes on a device for the videos of a part of a batch, and for the backward pass of it."""
    section, data, codec = config.model, config.data, model.codec
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    share = data.batch_size / config.optimizer.gradient_accumulation_steps / shards
    frames = (data.frames - 1) // codec.temporal + 1
    t, h, w = section.patch
    rows, columns = (side // codec.spatial for side in (data.height, data.width))
    tokens = share * (frames / t) * (rows / h) * (columns / w) / mesh.shape["sequence"]
    block = tokens * (_WIDTHS * section.dim + _HIDDEN_WIDTHS * section.ffn_dim)
    # With rematerialisation, one block's activations at a time, and of each block what is kept.
    widths = remat.POLICIES[section.remat].widths
    kept = (
        section.layers * block
        if widths is None
        else block + section.layers * (1 + widths) * tokens * section.dim
    )
    latents = share * frames * rows * columns * codec.channels
    return int(jnp.dtype(section.dtype).itemsize * kept + 4 * _VIDEOS * latents)
