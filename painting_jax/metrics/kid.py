"""KID: the squared maximum mean discrepancy of features (Binkowski et al., ICLR 2018).

The kernel is (x.y / D + 1)^3. The estimator is unbiased, so it can fall below 0, and works with
few pictures. It needs the features themselves, so a stream is reduced to a bounded sample. The
sample is drawn by a hash of the names: it depends neither on their order nor on interruptions.
Matches torchmetrics' `KernelInceptionDistance`.

If both sets show the same pictures, a picture and its copy are no independent draws. Comparing them
would put the estimate of a perfect copy far below 0. They are left out of the mean between the sets
then, as in the U-statistic of Gretton et al. (JMLR 2012, lemma 6).

The kernel is designed for Inception features, whose mean square is about 1. Scale others to it
with `perceptual.unit(x) * sqrt(D)`, or their scale decides what the kernel sees.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_NONE = np.uint32(2**32 - 1)


class Reservoir(NamedTuple):
    """A uniform sample of streamed features; leading axes hold separate sets.

    Attributes:
      priority_R: Rising priorities, uint32[..., R]; the largest value marks an empty slot.
      features_RD: Features with the R lowest priorities, float32[..., R, D].
    """

    priority_R: jax.Array
    features_RD: jax.Array

    @property
    def mask_R(self) -> jax.Array:
        """bool[..., R], True for filled slots."""
        return self.priority_R != _NONE


def priorities(names: Sequence[str], *, seed: int = 0) -> np.ndarray:
    """Hashes names to priorities, uint32[N]; the reservoir keeps the lowest.

    Args:
      names: Unique names of the pictures, such as "cat/oil/12".
      seed: Another seed draws another sample.
    """
    salt = int(seed).to_bytes(8, "little", signed=True)
    digests = [hashlib.blake2b(n.encode(), digest_size=4, salt=salt).digest() for n in names]
    hashes = np.frombuffer(b"".join(digests), "<u4").astype(np.uint32)
    return np.minimum(hashes, _NONE - np.uint32(1))


def empty(capacity: int, width: int, *sets: int) -> Reservoir:
    """An empty reservoir of `capacity` features of `width` dimensions; `sets` are leading axes."""
    return Reservoir(
        jnp.full((*sets, capacity), _NONE, jnp.uint32),
        jnp.zeros((*sets, capacity, width), jnp.float32),
    )


@jax.jit
def add(
    reservoir: Reservoir, features_ND: jax.Array, priority_N: jax.Array, mask_N: jax.Array
) -> Reservoir:
    """Adds a batch and keeps the features with the lowest priorities.

    Args:
      reservoir: Sample of one set.
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
    a_ND: jax.Array,
    b_MD: jax.Array,
    mask_N: jax.Array,
    mask_M: jax.Array,
    name_N: jax.Array | None = None,
    name_M: jax.Array | None = None,
) -> jax.Array:
    """The unbiased estimate from all features at once, which has the least variance: float32[].

    Args:
      a_ND: float32, at least two of them valid.
      b_MD: float32, at least two of them valid.
      mask_N: bool, True for features, False for padding.
      mask_M: The same for the second set.
      name_N: Identifiers, such as priorities; features of the two sets that have the same one are
        not compared. None = all are compared.
      name_M: The same for the second set.
    """
    a_ND, b_MD = (
        jnp.where(mask[:, None], x.astype(jnp.float32), 0)
        for x, mask in ((a_ND, mask_N), (b_MD, mask_M))
    )
    n, m = jnp.sum(mask_N), jnp.sum(mask_M)
    # Subtracting a constant from all kernel values cancels in the sum of the three means. It keeps
    # float32 from comparing means that agree in their leading digits.
    usual = jnp.dot(a_ND.sum(0) / n, b_MD.sum(0) / m, precision="highest")

    def kernel(x_ND, y_MD):
        width = x_ND.shape[-1]
        dots_NM = jnp.einsum("nd,md->nm", x_ND, y_MD, precision="highest")
        base, at = dots_NM / width + 1, usual / width + 1
        return (dots_NM - usual) / width * (base * base + base * at + at * at)

    def within(x_ND, mask_N, n):
        pairs_NN = mask_N[:, None] & mask_N[None, :] & ~jnp.eye(len(mask_N), dtype=bool)
        return _sum(kernel(x_ND, x_ND), pairs_NN) / (n * (n - 1))

    pairs_NM = mask_N[:, None] & mask_M[None, :]
    if name_N is not None:
        pairs_NM &= name_N[:, None] != name_M[None, :]
    between = _sum(kernel(a_ND, b_MD), pairs_NM) / jnp.sum(pairs_NM)
    return within(a_ND, mask_N, n) + within(b_MD, mask_M, m) - 2 * between


def _sum(values_NM: jax.Array, mask_NM: jax.Array) -> jax.Array:
    return jnp.sum(jnp.where(mask_NM, values_NM, 0))
