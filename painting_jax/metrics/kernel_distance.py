"""KID: the squared maximum mean discrepancy of features (Binkowski et al., ICLR 2018).

With the kernel (x.y / D + 1)^3, estimated without bias, so that it may fall below 0, and from few
pictures. It needs features, not moments: of a stream a bounded sample is kept, drawn by a hash of
the names, so that the sample depends neither on order nor on interruptions. The reference is
torchmetrics' `KernelInceptionDistance`.

The kernel is made for Inception's features, whose mean square is about 1. Others are best brought
to it, `similarity.unit(x) * sqrt(D)`, or their scale decides what the kernel sees.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_NONE = np.uint32(2**32 - 1)


class Reservoir(NamedTuple):
    """A uniform sample of the features seen so far; leading axes hold separate sets.

    Attributes:
      priority_R: uint32[..., R], rising; the highest value stands for an empty place.
      features_RD: float32[..., R, D], the features of the R lowest priorities.
    """

    priority_R: jax.Array
    features_RD: jax.Array

    @property
    def mask_R(self) -> jax.Array:
        """bool[..., R], True for places that are taken."""
        return self.priority_R != _NONE


class KID(NamedTuple):
    """The distance over random subsets of the features.

    Attributes:
      mean: over the subsets.
      std: between them.
    """

    mean: jax.Array
    std: jax.Array


def priorities(names: Sequence[str], *, seed: int = 0) -> np.ndarray:
    """When features are kept, from their names alone: uint32[N], lower is kept longer.

    Args:
      names: what tells the pictures apart, no two alike, such as "cat/oil/12".
      seed: another one draws another sample.
    """
    salt = int(seed).to_bytes(8, "little", signed=True)
    digests = [hashlib.blake2b(n.encode(), digest_size=4, salt=salt).digest() for n in names]
    found = np.frombuffer(b"".join(digests), "<u4").astype(np.uint32)
    return np.minimum(found, _NONE - np.uint32(1))


def empty(capacity: int, width: int, *sets: int) -> Reservoir:
    """Room for `capacity` features of `width` dimensions; with axes in front for several sets."""
    return Reservoir(
        jnp.full((*sets, capacity), _NONE, jnp.uint32),
        jnp.zeros((*sets, capacity, width), jnp.float32),
    )


@jax.jit
def add(
    reservoir: Reservoir, features_ND: jax.Array, priority_N: jax.Array, mask_N: jax.Array
) -> Reservoir:
    """Takes in a batch and keeps the features of the lowest priorities.

    Args:
      reservoir: of one set.
      features_ND: float32.
      priority_N: uint32, from `priorities`.
      mask_N: bool, True for features, False for padding.
    """
    priority_M = jnp.concatenate(
        [reservoir.priority_R, jnp.where(mask_N, priority_N.astype(jnp.uint32), _NONE)]
    )
    features_MD = jnp.concatenate(
        [reservoir.features_RD, jnp.where(mask_N[:, None], features_ND.astype(jnp.float32), 0)]
    )
    kept_R = jnp.argsort(priority_M)[: len(reservoir.priority_R)]
    return Reservoir(priority_M[kept_R], features_MD[kept_R])


@jax.jit
def discrepancy(
    a_ND: jax.Array, b_MD: jax.Array, mask_N: jax.Array, mask_M: jax.Array
) -> jax.Array:
    """The unbiased estimate from all features at once, float32[]; of least variance.

    Args:
      a_ND: float32, at least two of them valid.
      b_MD: float32, at least two of them valid.
      mask_N: bool, True for features, False for padding.
      mask_M: the same for the second set.
    """
    a_ND, b_MD = (
        jnp.where(mask[:, None], x.astype(jnp.float32), 0)
        for x, mask in ((a_ND, mask_N), (b_MD, mask_M))
    )
    n, m = jnp.sum(mask_N), jnp.sum(mask_M)
    # A constant taken from every value of the kernel cancels in the sum of the three means. Without
    # it float32 would have to tell apart means that agree in their first digits.
    usual = jnp.dot(a_ND.sum(0) / n, b_MD.sum(0) / m, precision="highest")

    def kernel(x_ND, y_MD):
        width = x_ND.shape[-1]
        dots_NM = jnp.einsum("nd,md->nm", x_ND, y_MD, precision="highest")
        base, at = dots_NM / width + 1, usual / width + 1
        return (dots_NM - usual) / width * (base * base + base * at + at * at)

    def within(x_ND, mask_N, n):
        pairs_NN = mask_N[:, None] & mask_N[None, :] & ~jnp.eye(len(mask_N), dtype=bool)
        return _sum(kernel(x_ND, x_ND), pairs_NN) / (n * (n - 1))

    between = _sum(kernel(a_ND, b_MD), mask_N[:, None] & mask_M[None, :]) / (n * m)
    return within(a_ND, mask_N, n) + within(b_MD, mask_M, m) - 2 * between


@jax.jit
def over_subsets(
    a_ND: jax.Array, b_MD: jax.Array, first_SK: jax.Array, second_SK: jax.Array
) -> KID:
    """KID as published: the mean and the spread over S random subsets of K features.

    Args:
      a_ND: float32.
      b_MD: float32.
      first_SK: int32, the rows of `a_ND` in each subset, from `draw`.
      second_SK: int32, the rows of `b_MD`.
    """
    everyone_K = jnp.ones(first_SK.shape[1], bool)
    found_S = jax.lax.map(
        lambda rows: discrepancy(a_ND[rows[0]], b_MD[rows[1]], everyone_K, everyone_K),
        (first_SK, second_SK),
    )
    return KID(jnp.mean(found_S), jnp.std(found_S))


def draw(count: int, *, size: int, subsets: int, seed: int = 0) -> np.ndarray:
    """Random subsets of `count` rows, without repetition in a subset: int32[subsets, size].

    Args:
      count: of the features there are; the valid ones lie first (they do in a `Reservoir`).
      size: of a subset, at most `count`; published values use 1000.
      subsets: how many; published values use 100.
      seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(count)[:size] for _ in range(subsets)]).astype(np.int32)


def _sum(values_NM: jax.Array, mask_NM: jax.Array) -> jax.Array:
    return jnp.sum(jnp.where(mask_NM, values_NM, 0))
