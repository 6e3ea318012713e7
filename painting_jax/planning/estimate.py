"""Memory and speed of a training by formulas: rough, but for any device and in no time.

They rank settings before one of them is compiled, and stand in where there is no compiler (GPUs).
The constants are those of compiled programs of Wan2.1 14B on v5p and v5e (docs/scale.md).
"""

import dataclasses
import math
from collections.abc import Mapping

import jax.numpy as jnp
from ml_collections import ConfigDict

from painting_jax.models import remat
from painting_jax.planning.chips import Chip
from painting_jax.planning.roofline import KERNEL_SHARE
from painting_jax.sharding.sequence_parallel import least_ring
from painting_jax.tasks import published
from painting_jax.tasks.task import Task
from painting_jax.training.memory_needs import bytes_of_state

# Share of the peak that matrix products reach.
_PRODUCT_SHARE = 0.7
# Bytes that a token's channel takes while a block's backward pass is computed.
_WORKING = 110
# Bytes that a token's channel moves in a block, forward, recomputed and backward.
_MOVED = 600


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a training step takes on each device.

    Attributes:
      memory: Bytes.
      seconds: Seconds.
    """

    memory: float
    seconds: float


def estimate(task: Task, mesh_shape: Mapping[str, int], chip: Chip) -> Estimate:
    """Estimates a training step with cached latents.

    Args:
      task: Task of the experiment; its config states the batch size.
      mesh_shape: Number of devices along each axis.
      chip: The device.
    """
    config = task.config
    section, data = config.model, config.data
    dim, layers = section.dim, section.layers
    work = task.model.family.work(
        task.model.config,
        task.model.codec,
        (data.frames, data.height, data.width),
        data.text_length,
    )
    rows = data.batch_size / (mesh_shape["data"] * mesh_shape["fsdp"])
    in_parts = rows / config.optimizer.gradient_accumulation_steps
    tokens = work.tokens / mesh_shape["sequence"]
    storage = mesh_shape["fsdp"] * mesh_shape["sequence"]
    weights = layers * (8 * dim**2 + 2 * dim * section.ffn_dim)
    lora = published.is_finetuned(config) and config.lora.enabled
    trained = _adapters(config) if lora else weights
    frozen = weights * jnp.dtype(config.pretrained.dtype).itemsize if lora else 0
    itemsize = jnp.dtype(section.dtype).itemsize

    widths = remat.POLICIES[section.remat].widths
    kept = 40 if widths is None else 1 + widths
    channels = in_parts * tokens * dim
    # Weights of a layer and the next, and gradients of the former.
    gathered = 3 * itemsize * weights / layers / mesh_shape["tensor"]
    memory = (
        (bytes_of_state(config) * trained + frozen) / storage / mesh_shape["tensor"]
        + gathered
        + channels * itemsize * kept * layers
        + channels * _WORKING / mesh_shape["tensor"]
    )

    again = _again(config)
    attention_again = section.remat == "full"
    with_weights = work.forward - work.attention
    products = with_weights * (2 + again + (not lora))
    kernels = work.attention * (1 + attention_again + 2.5)
    split = mesh_shape["sequence"] * mesh_shape["tensor"]
    seconds = (
        rows
        / split
        * (products / (_PRODUCT_SHARE * chip.peak) + kernels / (KERNEL_SHARE * chip.peak))
    )
    seconds += rows * tokens * dim * layers * _MOVED / chip.bandwidth
    seconds += _exchanged(config, mesh_shape, rows * tokens * dim, weights, lora=lora) / (
        chip.interconnect / 2
    )
    return Estimate(memory, seconds)


def _again(config: ConfigDict) -> float:
    """Share of the products with weights that the backward pass computes again."""
    dim, hidden = config.model.dim, config.model.ffn_dim
    by_policy = {"attention_ffn": dim * hidden, "attention_projections": 3 * dim**2}
    kept = by_policy.get(config.model.remat, 0)
    return 0.0 if config.model.remat == "none" else 1 - kept / (8 * dim**2 + 2 * dim * hidden)


def _exchanged(
    config: ConfigDict,
    mesh_shape: Mapping[str, int],
    channels: float,
    weights: float,
    *,
    lora: bool,
) -> float:
    """Bytes that a device sends in a step."""
    itemsize, sent = jnp.dtype(config.model.dtype).itemsize, 0.0
    if mesh_shape["fsdp"] * mesh_shape["sequence"] > 1:
        # Gathered forward and backward; the gradient of trained weights is summed.
        sent += weights * (2 * itemsize + (0 if lora else 4))
    if mesh_shape["tensor"] > 1:
        sent += 8 * 2 * channels * itemsize * config.model.layers
    if mesh_shape["sequence"] > 1:
        devices = mesh_shape["sequence"]
        ring = config.mesh.ring or least_ring(devices, config.model.heads)
        exchanges = 11 * max(1.0, devices / ring / 4) + 4 * (ring - 1) * math.sqrt(ring)
        sent += exchanges * channels * itemsize * config.model.layers
    return sent


def _adapters(config: ConfigDict) -> float:
    """Parameters of adapters on all linear layers of the blocks."""
    section = config.model
    sides = 8 * 2 * section.dim + 2 * (section.dim + section.ffn_dim)
    return section.layers * config.lora.rank * sides
