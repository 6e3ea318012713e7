"""The residual of a transformer's blocks: what all of them together add to the tokens.

It changes little from one step of sampling to the next, so that a step may add that of an earlier
one and leave the blocks out (TeaCache, arXiv 2411.19108; MagCache, arXiv 2506.09045).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array, Bool, Float


class Reuse(NamedTuple):
    """The residual of an earlier step, and whether it replaces the blocks.

    Attributes:
      skip: Whether the blocks are skipped, for all rows of the batch alike.
      residual_BSD: Residual of the last step that computed the blocks.
    """

    skip: Bool[Array, ""]
    residual_BSD: Float[Array, "b s d"]


def through_blocks(
    blocks: Callable[[Float[Array, "b s d"]], Float[Array, "b s d"]],
    x_BSD: Float[Array, "b s d"],
    reuse: Reuse | None,
) -> tuple[Float[Array, "b s d"], Float[Array, "b s d"]]:
    """The tokens after the blocks, and the blocks' residual.

    Args:
      blocks: The blocks, from tokens to tokens.
      x_BSD: The tokens before them.
      reuse: What may replace the blocks; None always computes them.
    """

    def computed():
        y_BSD = blocks(x_BSD)
        return y_BSD, y_BSD - x_BSD

    if reuse is None:
        return computed()

    def reused():
        return x_BSD + reuse.residual_BSD, reuse.residual_BSD

    return jax.lax.cond(reuse.skip, reused, computed)
