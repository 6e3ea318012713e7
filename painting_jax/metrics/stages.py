"""Where a painter goes over from composition to colour blocking, and from that to detail.

Within a stage the picture comes nearer at about one pace, so a distance profile is a line that
bends twice. The bends are found exactly: for every pair of grid points the continuous line with
bends there that fits best is a least-squares problem of four unknowns; all of them are solved at
once as products with fixed bases, and the best pair is taken.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

NAMES = ("composition", "colour blocking", "detail")

# Grid intervals that a stage lasts at least.
_SHORTEST = 2


class Stages(NamedTuple):
    """The three stages of B curves.

    Attributes:
      boundary_B2: progress at which colour blocking and detail begin, in (0, 1), rising.
      share_B3: of the time that each stage takes, in the order of `NAMES`; sums to 1.
      fitted_BK: the line with two bends.
      gain_B: the share of what one straight line leaves unexplained that the bends explain, in
        [0, 1]. Near 0 the curve has no stages and the boundaries mean nothing; where the curve
        is a straight line it is 0 and the boundaries are thirds.
    """

    boundary_B2: jax.Array
    share_B3: jax.Array
    fitted_BK: jax.Array
    gain_B: jax.Array


@jax.jit
def stages(profile_BK: jax.Array) -> Stages:
    """Fits three stages to curves over even progress, as `pdp.profile` gives them, K >= 8."""
    points = profile_BK.shape[1]
    line_2K, bends_P2K, bends_at_P2 = map(jnp.asarray, _bases(points))
    product = functools.partial(jnp.einsum, precision="highest")
    centred_BK = profile_BK - jnp.mean(profile_BK, axis=1, keepdims=True)
    straight_BK = product("bj,jk->bk", product("bk,jk->bj", centred_BK, line_2K), line_2K)
    rest_BK = centred_BK - straight_BK
    weight_BP2 = product("bk,pjk->bpj", rest_BK, bends_P2K)
    explained_BP = weight_BP2[..., 0] ** 2 + weight_BP2[..., 1] ** 2
    best_B = jnp.argmax(explained_BP, axis=1)
    rows_B = jnp.arange(len(best_B))
    unexplained_B = jnp.sum(rest_BK**2, axis=1)
    # A straight line leaves rounding only, about 1e-7 of the curve's own size.
    size_B = jnp.max(jnp.abs(profile_BK), axis=1)
    bent_B = unexplained_B > points * (1e-6 * size_B) ** 2
    gain_B = explained_BP[rows_B, best_B] / jnp.where(bent_B, unexplained_B, 1)
    boundary_B2 = jnp.where(bent_B[:, None], bends_at_P2[best_B], jnp.array([1 / 3, 2 / 3]))
    bend_BK = product("bj,bjk->bk", weight_BP2[rows_B, best_B], bends_P2K[best_B])
    first_B, second_B = boundary_B2[:, 0], boundary_B2[:, 1]
    return Stages(
        boundary_B2,
        jnp.stack([first_B, second_B - first_B, 1 - second_B], axis=1),
        profile_BK - rest_BK + jnp.where(bent_B[:, None], bend_BK, 0),
        jnp.where(bent_B, jnp.clip(gain_B, 0, 1), 0),
    )


@functools.cache
def _bases(points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orthonormal bases over the grid, each bend's freed of the straight lines, and the bends.

    Returns:
      float32[2, K] of the straight lines, float32[P, 2, K], and where the bends are, float32[P, 2]
      in (0, 1).
    """
    grid_K = np.arange(points, dtype=np.float64)
    line_K2 = np.linalg.qr(np.stack([np.ones(points), grid_K], axis=1))[0]
    last = points - 1 - _SHORTEST
    pairs = [(i, j) for i in range(_SHORTEST, last + 1) for j in range(i + _SHORTEST, last + 1)]
    knots_P2 = np.array(pairs, np.int32)
    hinge_PK2 = np.maximum(grid_K[None, :, None] - knots_P2[:, None, :], 0)
    hinge_PK2 -= line_K2 @ (line_K2.T @ hinge_PK2)
    bends_PK2 = np.linalg.qr(hinge_PK2)[0]
    return (
        line_K2.T.astype(np.float32),
        np.swapaxes(bends_PK2, 1, 2).astype(np.float32),
        (knots_P2 / (points - 1)).astype(np.float32),
    )
