"""The Inception v3 (Szegedy et al., arXiv 1512.00567) that defines FID.

Its weights differ from those of other Inceptions, and so does the pooling: averages do not count
the padding, and the last block takes the maximum instead. The reference implementation is that of
pytorch-fid, whose names the modules have.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

SIDE = 299
_EPS = 1e-3

# A convolution: name, output channels, kernel (height, width).
Step = tuple[str, int, tuple[int, int]]
# A branch is a sequence of steps. A tuple of steps in it runs in parallel and is concatenated.
Branch = tuple[Step | tuple[Step, ...], ...]

_1, _3, _5 = (1, 1), (3, 3), (5, 5)
_ROW, _COLUMN = (1, 7), (7, 1)


def _a(pooled: int) -> tuple[Branch, ...]:
    return (
        (("branch1x1", 64, _1),),
        (("branch5x5_1", 48, _1), ("branch5x5_2", 64, _5)),
        (("branch3x3dbl_1", 64, _1), ("branch3x3dbl_2", 96, _3), ("branch3x3dbl_3", 96, _3)),
        (("branch_pool", pooled, _1),),
    )


def _c(width: int) -> tuple[Branch, ...]:
    return (
        (("branch1x1", 192, _1),),
        (
            ("branch7x7_1", width, _1),
            ("branch7x7_2", width, _ROW),
            ("branch7x7_3", 192, _COLUMN),
        ),
        (
            ("branch7x7dbl_1", width, _1),
            ("branch7x7dbl_2", width, _COLUMN),
            ("branch7x7dbl_3", width, _ROW),
            ("branch7x7dbl_4", width, _COLUMN),
            ("branch7x7dbl_5", 192, _ROW),
        ),
        (("branch_pool", 192, _1),),
    )


_E: tuple[Branch, ...] = (
    (("branch1x1", 320, _1),),
    (
        ("branch3x3_1", 384, _1),
        (("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))),
    ),
    (
        ("branch3x3dbl_1", 448, _1),
        ("branch3x3dbl_2", 384, _3),
        (("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))),
    ),
    (("branch_pool", 192, _1),),
)

# name: branches, the pooling that the last branch begins with, and whether the block halves the
# resolution. If so, the last convolution of each branch and the pooling have stride 2.
BLOCKS: dict[str, tuple[tuple[Branch, ...], str, bool]] = {
    "Mixed_5b": (_a(32), "average", False),
    "Mixed_5c": (_a(64), "average", False),
    "Mixed_5d": (_a(64), "average", False),
    "Mixed_6a": (
        (
            (("branch3x3", 384, _3),),
            (("branch3x3dbl_1", 64, _1), ("branch3x3dbl_2", 96, _3), ("branch3x3dbl_3", 96, _3)),
            (),
        ),
        "maximum",
        True,
    ),
    "Mixed_6b": (_c(128), "average", False),
    "Mixed_6c": (_c(160), "average", False),
    "Mixed_6d": (_c(160), "average", False),
    "Mixed_6e": (_c(192), "average", False),
    "Mixed_7a": (
        (
            (("branch3x3_1", 192, _1), ("branch3x3_2", 320, _3)),
            (
                ("branch7x7x3_1", 192, _1),
                ("branch7x7x3_2", 192, _ROW),
                ("branch7x7x3_3", 192, _COLUMN),
                ("branch7x7x3_4", 192, _3),
            ),
            (),
        ),
        "maximum",
        True,
    ),
    "Mixed_7b": (_E, "average", False),
    "Mixed_7c": (_E, "maximum", False),
}

# Name, output channels, kernel, stride, padding; None = 3x3 max pooling with stride 2.
STEM: tuple[tuple[str, int, tuple[int, int], int, str] | None, ...] = (
    ("Conv2d_1a_3x3", 32, _3, 2, "VALID"),
    ("Conv2d_2a_3x3", 32, _3, 1, "VALID"),
    ("Conv2d_2b_3x3", 64, _3, 1, "SAME"),
    None,
    ("Conv2d_3b_1x1", 80, _1, 1, "VALID"),
    ("Conv2d_4a_3x3", 192, _3, 1, "VALID"),
    None,
)
# The blocks whose activations are returned.
_STAGES = ("Mixed_5d", "Mixed_6e", "Mixed_7c")


class ConvNorm(nnx.Module):
    """A convolution without bias, batch normalisation with stored statistics, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel, stride=1, padding="SAME", *, rngs):
        self.stride, self.padding = stride, padding
        init = nnx.initializers.he_normal()
        self.kernel = nnx.Param(init(rngs.params(), (*kernel, inputs, outputs)))
        self.scale = nnx.Param(jnp.ones(outputs))
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.mean = nnx.Param(jnp.zeros(outputs))
        self.variance = nnx.Param(jnp.ones(outputs))

    def __call__(self, x_NHWC: Float[Array, "n h w c"]) -> Float[Array, "n y x d"]:
        # Scaling the kernel is cheaper than scaling what comes out.
        scale = self.scale[...] * jax.lax.rsqrt(self.variance[...] + _EPS)
        out = jax.lax.conv_general_dilated(
            x_NHWC,
            self.kernel[...] * scale,
            (self.stride, self.stride),
            self.padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            # A metric has to give the same number on every device: no TF32, no bfloat16.
            precision=jax.lax.Precision.HIGHEST,
        )
        return nnx.relu(out + (self.bias[...] - self.mean[...] * scale))


class Mixed(nnx.Module):
    """Parallel branches, described by an entry of `BLOCKS`; convolutions have published names."""

    def __init__(
        self, inputs: int, branches: Sequence[Branch], pooling: str, halves: bool, *, rngs
    ):
        self.branches, self.pooling, self.halves = branches, pooling, halves
        self.convs = nnx.Dict()
        self.outputs = 0
        for branch in branches:
            width = inputs
            for place, step in enumerate(branch):
                last = halves and place == len(branch) - 1
                stride, padding = (2, "VALID") if last else (1, "SAME")
                parallel = _parallel(step)
                for name, outputs, kernel in parallel:
                    self.convs[name] = ConvNorm(width, outputs, kernel, stride, padding, rngs=rngs)
                width = sum(outputs for _, outputs, _ in parallel)
            self.outputs += width

    def __call__(self, x_NHWC: Float[Array, "n h w c"]) -> Float[Array, "n y x d"]:
        outs = []
        for number, branch in enumerate(self.branches):
            out = self._pool(x_NHWC) if number == len(self.branches) - 1 else x_NHWC
            for step in branch:
                parts = [self.convs[name](out) for name, _, _ in _parallel(step)]
                out = parts[0] if len(parts) == 1 else jnp.concatenate(parts, -1)
            outs.append(out)
        return jnp.concatenate(outs, -1)

    def _pool(self, x_NHWC: jax.Array) -> jax.Array:
        if self.halves:
            return nnx.max_pool(x_NHWC, (3, 3), strides=(2, 2))
        if self.pooling == "maximum":
            return nnx.max_pool(x_NHWC, (3, 3), padding="SAME")
        return nnx.avg_pool(x_NHWC, (3, 3), padding="SAME", count_include_pad=False)


class InceptionV3(nnx.Module):
    """Preprocessed pictures to the features that FID compares."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.stem, self.mixed = nnx.Dict(), nnx.Dict()
        width = 3
        for layer in STEM:
            if layer:
                name, outputs, kernel, stride, padding = layer
                self.stem[name] = ConvNorm(width, outputs, kernel, stride, padding, rngs=rngs)
                width = outputs
        for name, row in BLOCKS.items():
            self.mixed[name] = Mixed(width, *row, rngs=rngs)
            width = self.mixed[name].outputs

    def __call__(self, pixels_NHWC: Float[Array, "n h w 3"]) -> tuple[jax.Array, ...]:
        """The activations with 288, 768 and 2048 channels; FID compares means of the last ones.

        Args:
          pixels_NHWC: pictures from `preprocess`, or others of at least 75 x 75 pixels.
        """
        x = pixels_NHWC
        for layer in STEM:
            x = self.stem[layer[0]](x) if layer else nnx.max_pool(x, (3, 3), strides=(2, 2))
        stages = []
        for name in BLOCKS:
            x = self.mixed[name](x)
            if name in _STAGES:
                stages.append(x)
        return tuple(stages)


def preprocess(pictures_NHWC: Float[Array, "n h w 3"]) -> Float[Array, "n side side 3"]:
    """RGB in [0, 1] of any size as FID's Inception takes it: 299 x 299 pixels in [-1, 1].

    Like pytorch-fid, it interpolates between the two nearest pixels without antialiasing and does
    not keep the aspect ratio.
    """
    x = pictures_NHWC
    for axis in (1, 2):
        low, high, share = _taps(x.shape[axis])
        share = share.reshape(-1, *(1,) * (3 - axis))
        x = jnp.take(x, low, axis) * (1 - share) + jnp.take(x, high, axis) * share
    return 2 * x - 1


def _taps(extent: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two pixels around each of the 299 positions, and the weight of the second one."""
    # Rounded to float32 where the reference rounds: the scale, and the position at the end.
    scale = np.float64(np.float32(extent / SIDE))
    at_S = np.maximum(((np.arange(SIDE) + 0.5) * scale - 0.5).astype(np.float32), 0)
    low_S = at_S.astype(np.int32)
    return low_S, np.minimum(low_S + 1, extent - 1), at_S - low_S.astype(np.float32)


def _parallel(step: Step | tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps that run in parallel."""
    return (step,) if isinstance(step[0], str) else step
