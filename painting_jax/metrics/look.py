"""One look at each frame: all that is taken from the network of the perceptual distance."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from painting_jax.metrics import perceptual, similarity, texture
from painting_jax.metrics.lpips import LPIPS


class Look(NamedTuple):
    """Of F frames, each of which went through the network once.

    Attributes:
      embedded_FD: between which distances are taken, see `lpips`.
      vector_FC: the mean activation of the last stage, scaled to a mean square of 1: KID's kernel
        takes features of about that size, and activations may be of any.
      texture_FS: `texture.statistics`.
      before: `texture.grams` over the first area.
      after: over the second.
    """

    embedded_FD: jax.Array
    vector_FC: jax.Array
    texture_FS: jax.Array
    before: tuple[jax.Array, ...]
    after: tuple[jax.Array, ...]


@functools.partial(nnx.jit, static_argnames="mesh")
def look(
    distance: LPIPS,
    frames_FHWC: jax.Array,
    before_FIJ: jax.Array,
    after_FIJ: jax.Array,
    *,
    mesh: Mesh | None = None,
) -> Look:
    """Looks at frames, a few at a time.

    Args:
      distance: whose network looks.
      frames_FHWC: RGB uint8.
      before_FIJ: how much each cell of a frame counts for the first Gram matrices.
      after_FIJ: and for the second.
      mesh: each device along its data axis takes its share of the frames, which must divide F.
    """

    def of_batch(distance, frames_NHWC, before_NIJ, after_NIJ):
        maps = distance.maps(frames_NHWC)
        return Look(
            distance.embed_maps(maps),
            similarity.unit(jnp.mean(maps[-1], axis=(1, 2))) * jnp.sqrt(maps[-1].shape[-1]),
            texture.of_maps(maps),
            *(texture.grams(maps, area_NIJ) for area_NIJ in (before_NIJ, after_NIJ)),
        )

    areas = (before_FIJ.astype(jnp.float32), after_FIJ.astype(jnp.float32))
    return perceptual.in_batches(of_batch, distance, frames_FHWC, *areas, mesh=mesh)
