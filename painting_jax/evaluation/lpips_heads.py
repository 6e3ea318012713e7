"""LPIPS as published: its own linear heads over a trunk whose weights are at hand.

The heads (version 0.1) are shipped beside this file, with their licence in its header.
"""

import pathlib
from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx

from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.safetensors_file import read_header
from painting_jax.checkpoints.source import Source
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.tensor_names import Table
from painting_jax.models.vgg.alexnet import AlexNet
from painting_jax.models.vgg.modeling import VGG16
from painting_jax.models.vgg.params import ALEXNET_TABLE, VGG16_TABLE

HEADS = pathlib.Path(__file__).parent / "lpips_heads.safetensors"

# By the short names of the trunks: their name, what makes them, the table of their weights.
TRUNKS: dict[str, tuple[str, Callable[[], nnx.Module], Table]] = {
    "vgg": ("VGG16", lambda: VGG16(rngs=nnx.Rngs(0)), VGG16_TABLE),
    "alex": ("AlexNet", lambda: AlexNet(rngs=nnx.Rngs(0)), ALEXNET_TABLE),
}


def load(trunk: str, source: Source) -> LPIPS:
    """The distance over a trunk of `TRUNKS` with the weights of a file in torchvision's names.

    Raises:
      UserError: if the weights are not those of the trunk.
    """
    name, make_trunk, table = TRUNKS[trunk]
    loaded = load_model(make_trunk, source, [table])
    return with_heads(loaded, trunk, label=f"LPIPS ({name})")


def with_heads(trunk: nnx.Module, heads: str, *, label: str) -> LPIPS:
    """The distance over a trunk that has its weights, with the heads learnt on one of `TRUNKS`."""
    distance = LPIPS(trunk=trunk, label=label)
    tensors, _ = read_header(HEADS)
    for k, head in enumerate(distance.heads):
        head[...] = jnp.asarray(tensors[f"{heads}.lin{k}"].view())
    return distance
