"""FID: the Frechet distance of two Gaussians fitted to features (Heusel et al., NeurIPS 2017).

Features are streamed: a set is stored as its running mean and covariance, whatever its size.
Matches torchmetrics' `FrechetInceptionDistance`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from painting_jax.errors import UserError

# Cutoff of eigenvalues relative to the largest; smaller ones are float32 rounding.
_NOISE = 3e-8


class Moments(NamedTuple):
    """Running moments of features; leading axes hold separate sets.

    Attributes:
      count: Number of features, int32[...].
      mean_D: Mean, float32[..., D].
      scatter_DD: Sum of (x - mean) (x - mean)^T, float32[..., D, D].
    """

    count: jax.Array
    mean_D: jax.Array
    scatter_DD: jax.Array


class Frechet(NamedTuple):
    """A Frechet distance.

    Attributes:
      distance: Distance; 0 = the same mean and covariance.
      deficient: Whether a set has no more features than dimensions. Its covariance is then
        singular and the distance biased upwards: it compares only with others of the same counts.
    """

    distance: float
    deficient: bool


def empty(width: int, *sets: int) -> Moments:
    """Moments of no features of `width` dimensions; `sets` are leading axes."""
    return Moments(
        jnp.zeros(sets, jnp.int32),
        jnp.zeros((*sets, width), jnp.float32),
        jnp.zeros((*sets, width, width), jnp.float32),
    )


@jax.jit
def add(moments: Moments, features_ND: jax.Array, mask_N: jax.Array) -> Moments:
    """Adds a batch of features.

    Args:
      moments: Moments of one set.
      features_ND: float32.
      mask_N: bool, True for features, False for padding (which may be NaN).
    """
    count = jnp.sum(mask_N, dtype=jnp.int32)
    features_ND = jnp.where(mask_N[:, None], features_ND.astype(jnp.float32), 0)
    mean_D = jnp.sum(features_ND, axis=0) / jnp.maximum(count, 1)
    centred_ND = jnp.where(mask_N[:, None], features_ND - mean_D, 0)
    # Correct the rounding error of the mean, or features far from zero lose digits.
    rest_D = jnp.sum(centred_ND, axis=0) / jnp.maximum(count, 1)
    centred_ND = jnp.where(mask_N[:, None], centred_ND - rest_D, 0)
    scatter_DD = jnp.einsum("nd,ne->de", centred_ND, centred_ND, precision="highest")
    return merge(moments, Moments(count, mean_D + rest_D, scatter_DD))


@jax.jit
def merge(a: Moments, b: Moments) -> Moments:
    """Merges the moments of two sets without cancellation (Chan, Golub & LeVeque, 1979)."""
    count = a.count + b.count
    total = jnp.maximum(count, 1).astype(jnp.float32)
    share_b = (b.count / total)[..., None]
    shift_D = b.mean_D - a.mean_D
    weight = (a.count * (b.count / total))[..., None, None]
    return Moments(
        count,
        a.mean_D + shift_D * share_b,
        a.scatter_DD + b.scatter_DD + shift_D[..., :, None] * shift_D[..., None, :] * weight,
    )


def distance(a: Moments, b: Moments) -> Frechet:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), on the host in float64.

    With C = F F^T, the trace of the root equals the sum of the singular values of F_a^T F_b, which
    avoids roots of small numbers. The covariance of n features has rank n - 1 at most; the rest of
    its spectrum is rounding and left out.

    Raises:
      UserError: If a set has fewer than two features.
    """
    counts = int(a.count), int(b.count)
    if min(counts) < 2:
        raise UserError(f"FID needs at least 2 pictures on each side, there are {counts}")
    factors = [_factor(moments) for moments in (a, b)]
    means = [np.asarray(moments.mean_D, np.float64) for moments in (a, b)]
    root = scipy.linalg.svdvals(factors[0].T @ factors[1]).sum()
    shift = ((means[0] - means[1]) ** 2).sum()
    spread = sum((factor**2).sum() for factor in factors)
    deficient = min(counts) <= len(means[0])
    # Rounding can bring equal sets slightly below 0.
    return Frechet(max(float(shift + spread - 2 * root), 0.0), deficient)


def _factor(moments: Moments) -> np.ndarray:
    """F with F F^T = covariance: float64[D, R], R its rank."""
    count = int(moments.count)
    covariance_DD = np.asarray(moments.scatter_DD, np.float64) / (count - 1)
    values_D, vectors_DD = scipy.linalg.eigh(covariance_DD)
    rank = min(count - 1, len(values_D))
    kept = values_D > max(_NOISE * values_D[-1], 0)
    kept[: len(values_D) - rank] = False
    return vectors_DD[:, kept] * np.sqrt(values_D[kept])
