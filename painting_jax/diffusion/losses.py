"""The structure loss: energies of edges compared cell by cell.

Judged by squared pixel errors alone, the best guess at strokes of uncertain position is their mean,
which has no strokes. The energy of edges within a cell does not depend on where exactly they lie,
so this loss rewards a drawing for being as rich as the recorded one.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from painting_jax.models.edge_energy import edge_energies


def structure_loss(
    prediction_BTHWC: Float[Array, "b t h w c"], target_BTHWC: Float[Array, "b t h w c"]
) -> Float[Array, " b"]:
    """Mean squared difference of the edge energies, summed over scales; one number per video.

    Args:
      prediction_BTHWC: Video in [-1, 1], at least 8 x 8 pixels.
      target_BTHWC: The recorded video.
    """
    pairs = zip(edge_energies(prediction_BTHWC), edge_energies(target_BTHWC), strict=True)
    return sum(jnp.square(ours - theirs).mean((1, 2, 3)) for ours, theirs in pairs)
