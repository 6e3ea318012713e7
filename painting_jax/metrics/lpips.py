"""LPIPS (Zhang et al., "The Unreasonable Effectiveness of Deep Features", CVPR 2018)."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from painting_jax.metrics import perceptual, texture
from painting_jax.models.vgg.alexnet import AlexNet
from painting_jax.models.vgg.modeling import VGG16


class LPIPS(nnx.Module):
    """The learned perceptual distance over a VGG16 or an AlexNet, written as an embedding.

    The published distance is

        d(a, b) = sum_l mean_hw sum_c w_lc (f_lc(a) - f_lc(b))^2,

    with f_l the activations of stage l, scaled to unit length over the channels, and w_l >= 0 the
    learned linear heads. It equals the squared Euclidean distance of

        e(a) = concat_l sqrt(w_l / (H_l W_l)) f_l(a),

    so a picture that is compared with many others goes through the trunk once.

    Attributes:
      label: Name of the distance in reports; it includes the trunk's weights.
      at_once: None: as many pictures per call as their size allows.
    """

    at_once: int | None = None

    def __init__(self, *, trunk: VGG16 | AlexNet, label: str):
        self.trunk = trunk
        self.label = label
        self.heads = nnx.List(nnx.Param(jnp.full((width,), 1 / width)) for width in trunk.widths)

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """Embeds pictures so that distances are squared Euclidean distances.

        Args:
          pictures_NHWC: RGB, uint8 or float32 in [0, 1], of a size that the trunk accepts.

        Returns:
          float32[N, D]; D grows with the size of the pictures.
        """
        return self.embed_maps(self.maps(pictures_NHWC))

    def embed_maps(self, maps: tuple[jax.Array, ...]) -> jax.Array:
        """`embed` from the output of `maps`."""
        parts = []
        for features, head in zip(maps, self.heads, strict=True):
            n, h, w, _ = features.shape
            length = jnp.sqrt(jnp.sum(features * features, axis=-1, keepdims=True))
            weighted = features / (length + 1e-10) * jnp.sqrt(head[...])
            parts.append((weighted / jnp.sqrt(h * w)).reshape(n, -1))
        return jnp.concatenate(parts, axis=1)

    def maps(self, pictures_NHWC: jax.Array) -> tuple[jax.Array, ...]:
        """Activations of the trunk's stages for uint8 or float32 pictures in [0, 1]."""
        if pictures_NHWC.dtype == jnp.uint8:
            pictures_NHWC = pictures_NHWC.astype(jnp.float32) / 255
        return self.trunk(pictures_NHWC)

    def __call__(self, a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
        """Distances of corresponding pictures of two batches: float32[N], 0 = the same."""
        return perceptual.squared_distance(self.embed(a_NHWC), self.embed(b_NHWC))


class FrameStatistics(NamedTuple):
    """What one pass through LPIPS's network says of each of F frames.

    Attributes:
      embedded_FD: Embeddings whose squared distances are LPIPS.
      vector_FC: Mean activation of the last stage, scaled to a mean square of 1, which KID's
        kernel expects.
      texture_FS: `texture.statistics` of the frames.
      before: `texture.grams` over the first area.
      after: `texture.grams` over the second area.
    """

    embedded_FD: jax.Array
    vector_FC: jax.Array
    texture_FS: jax.Array
    before: tuple[jax.Array, ...]
    after: tuple[jax.Array, ...]


@functools.partial(nnx.jit, static_argnames="mesh")
def frame_statistics(
    distance: LPIPS,
    frames_FHWC: jax.Array,
    before_FIJ: jax.Array,
    after_FIJ: jax.Array,
    *,
    mesh: Mesh | None = None,
) -> FrameStatistics:
    """Runs frames through the network once, in batches.

    Args:
      distance: The distance whose network is used.
      frames_FHWC: RGB uint8.
      before_FIJ: Weight of each cell of a frame in the first Gram matrices.
      after_FIJ: Weight of each cell in the second.
      mesh: Mesh whose data axis shares the frames; its size must divide F.
    """

    def of_batch(distance, frames_NHWC, before_NIJ, after_NIJ):
        maps = distance.maps(frames_NHWC)
        vector_NC = perceptual.unit(jnp.mean(maps[-1], axis=(1, 2)))
        return FrameStatistics(
            distance.embed_maps(maps),
            vector_NC * jnp.sqrt(maps[-1].shape[-1]),
            texture.statistics(maps),
            *(texture.grams(maps, area_NIJ) for area_NIJ in (before_NIJ, after_NIJ)),
        )

    areas = (before_FIJ.astype(jnp.float32), after_FIJ.astype(jnp.float32))
    return perceptual.in_batches(of_batch, distance, frames_FHWC, *areas, mesh=mesh)
