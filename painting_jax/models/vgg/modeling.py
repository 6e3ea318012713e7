"""VGG16 (Simonyan & Zisserman, 2015), the convolutions only: a network of LPIPS."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models import fast_on_cpu

DEPTHS = (2, 2, 3, 3, 3)
WIDTHS = (64, 128, 256, 512, 512)


class VGG16(nnx.Module):
    """Five blocks of 3x3 convolutions with 2x2 max pooling between them.

    Args:
      mean: mean per RGB channel of pictures in [0, 1]; it belongs to the weights.
      std: standard deviation per RGB channel.
      widths: channels of each block.
      rngs: random numbers for the initial parameters.
    """

    def __init__(
        self,
        *,
        mean: tuple[float, float, float] = (0.485, 0.456, 0.406),
        std: tuple[float, float, float] = (0.229, 0.224, 0.225),
        widths: tuple[int, ...] = WIDTHS,
        rngs: nnx.Rngs,
    ):
        self.mean, self.std, self.widths = mean, std, widths
        inputs = (3, *widths[:-1])
        self.blocks = nnx.List(
            nnx.List(
                nnx.Conv(
                    before if i == 0 else width,
                    width,
                    (3, 3),
                    rngs=rngs,
                )
                for i in range(depth)
            )
            for before, width, depth in zip(inputs, widths, DEPTHS, strict=True)
        )

    def __call__(self, pictures_NHWC: jax.Array) -> tuple[jax.Array, ...]:
        """The activations at the end of each block (relu1_2, 2_2, 3_3, 4_3, 5_3).

        Args:
          pictures_NHWC: RGB float32 in [0, 1], at least 16 x 16 pixels.

        Returns:
          Five arrays [N, H / 2^k, W / 2^k, widths[k]], k = 0..4, sides rounded down.
        """
        x = (pictures_NHWC - jnp.asarray(self.mean)) / jnp.asarray(self.std)
        features = []
        for k, block in enumerate(self.blocks):
            if k:
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
            for conv in block:
                x = nnx.relu(conv3x3(x, conv.kernel[...]) + conv.bias[...])
            features.append(x)
        return tuple(features)


def conv3x3(
    x_NHWC: Float[Array, "n h w c"], kernel_HWIO: Float[Array, "3 3 c d"]
) -> Float[Array, "n h w d"]:
    """A convolution with stride 1 over pictures padded with zeros, in float32 on any device."""
    if fast_on_cpu.enabled() and fast_on_cpu.winograd_pays(kernel_HWIO):
        return fast_on_cpu.winograd(x_NHWC, kernel_HWIO)
    return jax.lax.conv_general_dilated(
        x_NHWC,
        kernel_HWIO,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        # A metric has to give the same number on every device: no TF32, no bfloat16.
        precision=jax.lax.Precision.HIGHEST,
    )
