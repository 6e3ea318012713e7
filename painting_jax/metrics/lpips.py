"""LPIPS (Zhang et al., "The Unreasonable Effectiveness of Deep Features", CVPR 2018)."""

import jax
import jax.numpy as jnp
from flax import nnx

from painting_jax.models.vgg.alexnet import AlexNet
from painting_jax.models.vgg.modeling import VGG16


class LPIPS(nnx.Module):
    """The learned perceptual distance over a VGG16 or an AlexNet, written as an embedding.

    The published distance is

        d(a, b) = sum_l mean_hw sum_c w_lc (f_lc(a) - f_lc(b))^2,

    with f_l the activations of stage l, scaled to unit length over the channels, and w_l >= 0 the
    learned linear heads. That is the squared Euclidean distance of

        e(a) = concat_l sqrt(w_l / (H_l W_l)) f_l(a),

    so that a picture compared with many others goes through the trunk once.

    Attributes:
      label: what the numbers are called wherever they are shown; it names the trunk's weights.
      at_once: as many pictures at a time as their size allows.
    """

    at_once: int | None = None

    def __init__(self, *, trunk: VGG16 | AlexNet, label: str):
        self.trunk = trunk
        self.label = label
        self.heads = nnx.List(nnx.Param(jnp.full((width,), 1 / width)) for width in trunk.widths)

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """Embeds pictures so that distances are squared Euclidean distances.

        Args:
          pictures_NHWC: RGB, uint8 or float32 in [0, 1], of a size that the trunk takes.

        Returns:
          float32[N, D], D growing with the size of the pictures.
        """
        return self.embed_maps(self.maps(pictures_NHWC))

    def embed_maps(self, maps: tuple[jax.Array, ...]) -> jax.Array:
        """The same of what `maps` gave."""
        parts = []
        for features_NHWD in self._weighted(maps):
            n, h, w, _ = features_NHWD.shape
            parts.append((features_NHWD / jnp.sqrt(h * w)).reshape(n, -1))
        return jnp.concatenate(parts, axis=1)

    def spatial(self, a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
        """Where two pictures differ: float32[N, H, W].

        Every layer's differences at its own resolution, spread over the pixels that they stand
        for. The mean over the pixels is the distance, exactly so for sides that 16 divides.
        """
        n, height, width, _ = a_NHWC.shape
        map_NHW = jnp.zeros((n, height, width))
        for a, b in zip(
            self._weighted(self.maps(a_NHWC)), self._weighted(self.maps(b_NHWC)), strict=True
        ):
            apart_NHW = jnp.sum((a - b) ** 2, axis=-1)
            map_NHW += jax.image.resize(apart_NHW, map_NHW.shape, "nearest")
        return map_NHW

    def maps(self, pictures_NHWC: jax.Array) -> tuple[jax.Array, ...]:
        """The activations of the trunk, uint8 or float32 in [0, 1] in."""
        if pictures_NHWC.dtype == jnp.uint8:
            pictures_NHWC = pictures_NHWC.astype(jnp.float32) / 255
        return self.trunk(pictures_NHWC)

    def _weighted(self, maps: tuple[jax.Array, ...]) -> list[jax.Array]:
        """sqrt(w_l) f_l of every block."""
        weighted = []
        for features, head in zip(maps, self.heads, strict=True):
            length = jnp.sqrt(jnp.sum(features * features, axis=-1, keepdims=True))
            weighted.append(features / (length + 1e-10) * jnp.sqrt(head[...]))
        return weighted

    def __call__(self, a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
        """The distances of the pictures of two batches, one by one: float32[N], 0 = the same."""
        return squared_distance(self.embed(a_NHWC), self.embed(b_NHWC))


def squared_distance(a_ND: jax.Array, b_ND: jax.Array) -> jax.Array:
    """Squared Euclidean distances of rows: float32[N]."""
    return jnp.sum((a_ND - b_ND) ** 2, axis=-1)
