"""AlexNet (Krizhevsky, arXiv 1404.5997), the convolutions only: a network of LPIPS."""

import jax
import jax.numpy as jnp
from flax import nnx

# Output channels, kernel, stride and padding of each convolution, and whether 3x3 max pooling with
# stride 2 precedes it.
LAYERS = (
    (64, 11, 4, 2, False),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, True),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, False),
)


class AlexNet(nnx.Module):
    """Five convolutions.

    Attributes:
      widths: output channels of each convolution.
    """

    widths = tuple(layer[0] for layer in LAYERS)
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, *, rngs: nnx.Rngs):
        inputs = (3, *self.widths[:-1])
        self.convs = nnx.List(
            nnx.Conv(
                before,
                width,
                (kernel, kernel),
                strides=stride,
                padding=padding,
                # A metric has to give the same number on every device: no TF32, no bfloat16.
                precision=jax.lax.Precision.HIGHEST,
                rngs=rngs,
            )
            for before, (width, kernel, stride, padding, _) in zip(inputs, LAYERS, strict=True)
        )

    def __call__(self, pictures_NHWC: jax.Array) -> tuple[jax.Array, ...]:
        """The activations after each convolution (relu1 to relu5).

        Args:
          pictures_NHWC: RGB float32 in [0, 1], at least 31 x 31 pixels.

        Returns:
          Five arrays [N, h, w, widths[k]].
        """
        x = (pictures_NHWC - jnp.asarray(self.mean)) / jnp.asarray(self.std)
        features = []
        for conv, (*_, pooled) in zip(self.convs, LAYERS, strict=True):
            if pooled:
                x = nnx.max_pool(x, (3, 3), strides=(2, 2))
            x = nnx.relu(conv(x))
            features.append(x)
        return tuple(features)
