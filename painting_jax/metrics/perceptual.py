"""Perceptual distances between the frames of videos, in bounded memory."""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from painting_jax.metrics.lpips import squared_distance

# Pixels of all pictures that go through a trunk at once; VGG16 holds about 1 kB for each. On a CPU
# fewer are faster: what a network holds is fresh memory, and more of it than a cache takes.
_PIXELS_AT_ONCE = 2**19
_PIXELS_AT_ONCE_ON_CPU = 2**16


class PerceptualDistance(Protocol):
    """A distance that is the squared Euclidean distance of an embedding.

    LPIPS is one (see `lpips.LPIPS`), and so is 1 - cosine of unit vectors, scaled by a half.

    Attributes:
      label: what the numbers are called wherever they are shown.
      at_once: how many pictures are best given at a time; None = as their size allows.
    """

    label: str
    at_once: int | None

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D]."""


@functools.partial(nnx.jit, static_argnames="mesh")
def embed(
    distance: PerceptualDistance, frames_FHWC: jax.Array, *, mesh: Mesh | None = None
) -> jax.Array:
    """Embeds frames, a few at a time: float32[F, D].

    Args:
      distance: an nnx module with `embed`.
      frames_FHWC: uint8.
      mesh: each device along its data axis takes its share of the frames, which must divide F.
    """
    return in_batches(
        lambda distance, frames_NHWC: distance.embed(frames_NHWC), distance, frames_FHWC, mesh=mesh
    )


def in_batches(
    function: Callable, network: nnx.Module, frames_FHWC: jax.Array, *rest, mesh: Mesh | None
) -> Any:
    """Calls `function(network, frames_NHWC, *rest_N)` for batches of frames that fit into memory.

    Args:
      function: batches in, a tree of arrays out that have an entry for each frame.
      network: an nnx module with `at_once`.
      frames_FHWC: the frames.
      *rest: further arrays, with an entry for each frame.
      mesh: each device along its data axis takes its share of the frames, which must divide F.

    Returns:
      What the function returns, for all frames.
    """
    graph, state = nnx.split(network)

    def share(state, *given):
        count, height, width, _ = given[0].shape
        batches = -(-count // (network.at_once or max(1, _pixels_at_once() // (height * width))))
        size = -(-count // batches)
        padding = batches * size - count

        def batched(x_F):
            x_F = jnp.pad(x_F, [(0, padding)] + [(0, 0)] * (x_F.ndim - 1))
            return x_F.reshape(batches, size, *x_F.shape[1:])

        found = jax.lax.map(
            lambda batch: function(nnx.merge(graph, state), *batch), tuple(map(batched, given))
        )
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:count], found)

    if mesh is not None:
        shares = (P("data"),) * (1 + len(rest))
        # Networks may scan over constants, which the check takes for a mistake.
        share = jax.shard_map(
            share, mesh=mesh, in_specs=(P(), *shares), out_specs=P("data"), check_vma=False
        )
    return share(state, frames_FHWC, *rest)


@jax.jit
def between(first_FD: jax.Array, second_GD: jax.Array, pairs_P2: jax.Array) -> jax.Array:
    """Distances between chosen rows of two sets of embeddings: float32[P].

    Args:
      first_FD: from `embed`.
      second_GD: from `embed`.
      pairs_P2: int32, an index into either.
    """
    # Pair by pair: all embeddings of the pairs at once would be a second copy of the first.
    return jax.lax.map(
        lambda pair: squared_distance(first_FD[pair[0]], second_GD[pair[1]]), pairs_P2
    )


@nnx.jit
def distances(
    distance: PerceptualDistance, first_NHWC: jax.Array, second_NHWC: jax.Array
) -> jax.Array:
    """Distances of pictures to as many others, or of all to one: float32[N].

    No embedding is kept but that of the one, which is embedded once.
    """
    if len(second_NHWC) == 1:
        second_1D = distance.embed(second_NHWC)

        def to_one(distance, first_NHWC):
            return squared_distance(distance.embed(first_NHWC), second_1D)

        return in_batches(to_one, distance, first_NHWC, mesh=None)

    def of_pairs(distance, first_NHWC, second_NHWC):
        return squared_distance(distance.embed(first_NHWC), distance.embed(second_NHWC))

    return in_batches(of_pairs, distance, first_NHWC, second_NHWC, mesh=None)


def nearest(progress_T: np.ndarray, wanted_N: np.ndarray) -> np.ndarray:
    """The index of the frame whose progress is nearest to each wanted one: int[N].

    Of two equally near, up to rounding, the earlier is taken: also of a video turned round.
    """
    apart_NT = np.abs(progress_T[None, :] - wanted_N[:, None])
    return (apart_NT <= apart_NT.min(axis=1, keepdims=True) + 1e-6).argmax(axis=1)


def _pixels_at_once() -> int:
    return _PIXELS_AT_ONCE_ON_CPU if jax.default_backend() == "cpu" else _PIXELS_AT_ONCE
