"""Pictures to features that describe them: what metrics take from a network, whichever it is.

Each class answers the same two questions of RGB pictures, uint8 or float32 in [0, 1]: `__call__`
gives one vector a picture (statistics and cosines are taken of these), `maps` gives vectors with a
place in the picture (structure and texture are). Whatever resizing, cropping and normalising a
network was published with happens inside, on the device.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

Maps = tuple[Float[Array, "n h w c"], ...]


class TrunkFeatures(nnx.Module):
    """Of the convolutions of a classifier, at the pictures' own size.

    Args:
      trunk: pictures in [0, 1] to the activations of its stages, fine to coarse.
      label: names the weights.
    """

    def __init__(self, trunk: Callable[[jax.Array], Maps], *, label: str):
        self.trunk, self.label = trunk, label

    def __call__(self, pictures_NHWC: jax.Array) -> Float[Array, "n d"]:
        """The mean over all positions of the last stage."""
        return jnp.mean(self.maps(pictures_NHWC)[-1], axis=(1, 2))

    def maps(self, pictures_NHWC: jax.Array) -> Maps:
        """The activations of every stage, fine to coarse."""
        return self.trunk(as_float(pictures_NHWC))


def as_float(pictures_NHWC: jax.Array) -> jax.Array:
    """Float32 in [0, 1] of pictures in bytes or already so."""
    if pictures_NHWC.dtype == jnp.uint8:
        return pictures_NHWC.astype(jnp.float32) / 255
    return pictures_NHWC


def as_bytes(pictures_NHWC: jax.Array) -> jax.Array:
    """Uint8 of pictures in float32 in [0, 1] (rounded) or already so."""
    if pictures_NHWC.dtype == jnp.uint8:
        return pictures_NHWC
    return jnp.round(jnp.clip(pictures_NHWC, 0, 1) * 255).astype(jnp.uint8)
