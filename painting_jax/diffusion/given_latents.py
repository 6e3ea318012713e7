"""Latents that are given: the part of a process that is known already, held during sampling.

A flow takes noise to clean latents in a straight line. Where the clean latents are known, the
velocity is known, too, and takes the place of the network's: any sampler then ends in these
latents, and the network sees them at the noise level of the rest (as in RePaint, arXiv 2201.09865,
without its jumps back).
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from painting_jax.models.codec import Codec

# Latent frames of a still canvas that come before the one that is given: a causal codec sees them.
_BEFORE = 2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class GivenLatents:
    """Clean latents that are known in some frames.

    Attributes:
      clean_BTHWC: The latents; in frames that are not known, anything.
      known_BT: Which frames are known.
    """

    clean_BTHWC: Float[Array, "b t h w c"]
    known_BT: Bool[Array, "b t"]

    def held(
        self,
        velocity_BTHWC: Float[Array, "b t h w c"],
        noisy_BTHWC: Float[Array, "b t h w c"],
        sigma: Float[Array, ""],
    ) -> Float[Array, "b t h w c"]:
        """The network's velocity with that of the known frames in its place.

        Args:
          velocity_BTHWC: Velocity of the network.
          noisy_BTHWC: Latents at the noise level.
          sigma: Noise level, above 0.
        """
        known_BT111 = self.known_BT[:, :, None, None, None]
        return jnp.where(known_BT111, (noisy_BTHWC - self.clean_BTHWC) / sigma, velocity_BTHWC)


def canvas(codec: Codec, canvas_BHWC: Float[Array, "b h w 3"], frames: int) -> GivenLatents:
    """The latents of a process that goes on from a canvas.

    The model's video runs backwards, so it ends in the canvas, which stands still in the frames of
    the last latent.

    Args:
      codec: Codec of the model.
      canvas_BHWC: Canvas, RGB in [-1, 1].
      frames: Number of latent frames.
    """
    still_BTHWC = jnp.repeat(canvas_BHWC[:, None], 1 + _BEFORE * codec.temporal, 1)
    last_B1HWC = codec.encode(still_BTHWC)[:, -1:]
    known_BT = jnp.broadcast_to(jnp.arange(frames) == frames - 1, (len(canvas_BHWC), frames))
    return GivenLatents(jnp.repeat(last_B1HWC, frames, 1), known_BT)
