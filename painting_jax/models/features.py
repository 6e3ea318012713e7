"""Features of pictures for metrics, with the same interface for every network.

The classes take RGB pictures, uint8 or float32 in [0, 1]. `__call__` returns a vector per picture,
for statistics and cosines. `maps` returns vectors for positions in the picture, for structure and
texture. Both include the resizing, cropping and normalisation that the network was published with.
`at_once` is the number of pictures per device and batch that is fastest; None = it depends on their
size.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models.clip import modeling as clip
from painting_jax.models.clip.modeling import CLIP
from painting_jax.models.dinov2 import modeling as dinov2
from painting_jax.models.dinov2.modeling import DINOv2
from painting_jax.models.inception import modeling as inception
from painting_jax.models.inception.modeling import InceptionV3
from painting_jax.models.vit_blocks import for_inference

Maps = tuple[Float[Array, "n _ _ _"], ...]


class TrunkFeatures(nnx.Module):
    """Features of the convolutions of a classifier, at the size of the pictures.

    Args:
      trunk: maps pictures in [0, 1] to the activations of its stages, fine to coarse.
      label: name of the weights.
    """

    at_once: int | None = None

    def __init__(self, trunk: Callable[[jax.Array], Maps], *, label: str):
        self.trunk, self.label = trunk, label

    def __call__(self, pictures_NHWC: jax.Array) -> Float[Array, "n d"]:
        """The mean over all positions of the last stage."""
        return jnp.mean(self.maps(pictures_NHWC)[-1], axis=(1, 2))

    def maps(self, pictures_NHWC: jax.Array) -> Maps:
        """The activations of every stage, fine to coarse."""
        return self.trunk(as_float(pictures_NHWC))


class CLIPFeatures(nnx.Module):
    """Features of CLIP; `describe` embeds texts in the same space.

    Floats are rounded to 8 bits, since the resizing is Pillow's.

    Args:
      clip: both towers.
      label: name of the weights.
    """

    at_once: int | None = 32

    def __init__(self, clip: CLIP, *, label: str):
        self.clip, self.label = clip, label
        clip.vision.blocks = for_inference(clip.vision.blocks)

    def __call__(self, pictures_NHWC: jax.Array) -> Float[Array, "n d"]:
        """The projected class token of the central square."""
        with _exact():
            return self.clip.vision.embed(self._pixels(pictures_NHWC))

    def maps(self, pictures_NHWC: jax.Array) -> Maps:
        """The patch tokens of the central square, after the last block."""
        with _exact():
            tokens_NLD = self.clip.vision(self._pixels(pictures_NHWC), leave_out=0)
        config = self.clip.vision.config
        side = config.image_size // config.patch
        return (tokens_NLD[:, 1:].reshape(len(tokens_NLD), side, side, -1),)

    def describe(self, ids_ML: jax.Array) -> Float[Array, "m d"]:
        """The projected end token of each text."""
        with _exact():
            return self.clip.text.embed(ids_ML)

    def _pixels(self, pictures_NHWC: jax.Array) -> jax.Array:
        return clip.preprocess(as_bytes(pictures_NHWC), self.clip.vision.config.image_size)


class DINOv2Features(nnx.Module):
    """Features of DINOv2. Floats are rounded to 8 bits, since the resizing is Pillow's.

    Args:
      dino: the network.
      label: name of the weights.
    """

    at_once: int | None = 16

    def __init__(self, dino: DINOv2, *, label: str):
        self.dino, self.label = dino, label

    def __call__(self, pictures_NHWC: jax.Array) -> Float[Array, "n d"]:
        """The class token of the central square."""
        with _exact():
            return self.dino.embed(dinov2.preprocess(as_bytes(pictures_NHWC)))

    def maps(self, pictures_NHWC: jax.Array) -> Maps:
        """The patch tokens of the whole picture, 16 along its shorter side."""
        patch = self.dino.config.patch
        pixels_NHWC = dinov2.preprocess_whole(as_bytes(pictures_NHWC), 16 * patch, patch)
        with _exact():
            return (self.dino(pixels_NHWC)[1],)


class InceptionFeatures(nnx.Module):
    """Features of FID's Inception v3.

    Args:
      inception: the network.
      label: name of the weights.
    """

    at_once: int | None = 8

    def __init__(self, inception: InceptionV3, *, label: str):
        self.inception, self.label = inception, label

    def __call__(self, pictures_NHWC: jax.Array) -> Float[Array, "n 2048"]:
        """The mean over all positions of the last stage, which FID compares."""
        return jnp.mean(self.maps(pictures_NHWC)[-1], axis=(1, 2))

    def maps(self, pictures_NHWC: jax.Array) -> Maps:
        """The activations of three stages, fine to coarse; the aspect ratio is not kept."""
        return self.inception(inception.preprocess(as_float(pictures_NHWC)))


def _exact():
    # A metric has to give the same number on every device: no TF32, no bfloat16.
    return jax.default_matmul_precision("highest")


def as_float(pictures_NHWC: jax.Array) -> jax.Array:
    """Pictures in uint8 or float32 as float32 in [0, 1]."""
    if pictures_NHWC.dtype == jnp.uint8:
        return pictures_NHWC.astype(jnp.float32) / 255
    return pictures_NHWC


def as_bytes(pictures_NHWC: jax.Array) -> jax.Array:
    """Pictures in uint8 or float32 in [0, 1] as uint8, rounded."""
    if pictures_NHWC.dtype == jnp.uint8:
        return pictures_NHWC
    return jnp.round(jnp.clip(pictures_NHWC, 0, 1) * 255).astype(jnp.uint8)
