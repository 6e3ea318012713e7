"""The pixel models' output: a mixture of looks of the reference, chosen pixel by pixel.

A painting in progress is canvas here, a broad mass of the picture's colour there, the finished
picture elsewhere. A small transformer cannot carry 192 colours of a patch through its width, but it
can say which look shows where; what no look has, canvas and construction lines, it adds itself.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from painting_jax.models.blur import gaussian_blur

_BLURS = (1.0, 2.5)  # pixels
_LOOKS = 2 + len(_BLURS)  # the reference, its blurs, its fine detail in grey
CHANNELS = 3 * _LOOKS  # a weight for each look and colour


def mix(
    output_BTHWC: Float[Array, "b t h w o"], reference_BTHWC: Float[Array, "b t h w 3"]
) -> Float[Array, "b t h w 3"]:
    """Adds to the first three channels the looks, weighted by the others.

    Args:
      output_BTHWC: the transformer's, 3 + `CHANNELS` channels.
      reference_BTHWC: RGB in [-1, 1]; zero where it is dropped.
    """
    added, weights = output_BTHWC[..., :3], output_BTHWC[..., 3:]
    # The reference is the same on every frame: its looks are made once.
    looks_B1HWCK = _looks(reference_BTHWC[:, 0])[:, None]
    weights = weights.reshape(*added.shape, _LOOKS)
    return added + (weights * looks_B1HWCK).sum(-1)


def _looks(reference_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3 k"]:
    blurs = [gaussian_blur(reference_BHWC, sigma) for sigma in _BLURS]
    detail = (reference_BHWC - blurs[0]).mean(-1, keepdims=True)
    return jnp.stack([reference_BHWC, *blurs, jnp.broadcast_to(detail, reference_BHWC.shape)], -1)
