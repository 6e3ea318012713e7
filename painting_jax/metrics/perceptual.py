"""Perceptual distances between frames: the interface, cosine distances, bounded memory."""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

# Pixels that go through a network at once; VGG16 needs about 1 kB for each. CPUs are faster with
# fewer, whose activations fit the cache.
_PIXELS_AT_ONCE = 2**19
_PIXELS_AT_ONCE_ON_CPU = 2**16


class FeatureExtractor(Protocol):
    """A network that turns pictures into feature vectors, as a pure `nnx` module.

    Attributes:
      label: Name of the network and its weights in reports, such as "CLIP ViT-B/32".
      at_once: Preferred number of pictures per call; None = as many as their size allows.
    """

    label: str
    at_once: int | None

    def __call__(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D]."""

    def maps(self, pictures_NHWC: jax.Array) -> tuple[jax.Array, ...]:
        """Feature maps, fine to coarse: float32[N, h, w, C] each."""


class PerceptualDistance(Protocol):
    """A distance that equals the squared Euclidean distance of embeddings.

    Examples are `lpips.LPIPS` and `CosineDistance`.

    Attributes:
      label: Name of the distance in reports.
      at_once: Preferred number of pictures per call; None = as many as their size allows.
    """

    label: str
    at_once: int | None

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D]."""


class CosineDistance(nnx.Module):
    """1 - cosine of features, as a `PerceptualDistance`.

    For unit vectors, |a - b|^2 = 2 (1 - cos); scaling them by sqrt(1/2) gives 1 - cos.

    Attributes:
      label: Label of the features.
      at_once: Preferred number of pictures per call.
    """

    def __init__(self, features: FeatureExtractor):
        self.features = features
        self.label, self.at_once = features.label, features.at_once

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D], vectors of length sqrt(1/2)."""
        return unit(self.features(pictures_NHWC)) * jnp.sqrt(0.5)


@jax.jit
def cosine(a_ND: jax.Array, b_ND: jax.Array) -> jax.Array:
    """Cosine similarity of corresponding rows, float32[N] in [-1, 1]; 0 for a row of zeros."""
    return jnp.sum(unit(a_ND) * unit(b_ND), axis=-1)


def unit(x: jax.Array) -> jax.Array:
    """Scales vectors along the last axis to length 1; zeros stay zeros."""
    x = x.astype(jnp.float32)
    # Dividing by the largest value first keeps squares within the range of float32.
    x = x / jnp.maximum(jnp.max(jnp.abs(x), axis=-1, keepdims=True), 1e-30)
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-30)


def squared_distance(a_ND: jax.Array, b_ND: jax.Array) -> jax.Array:
    """Squared Euclidean distance of corresponding rows: float32[N]."""
    return jnp.sum((a_ND - b_ND) ** 2, axis=-1)


@functools.partial(nnx.jit, static_argnames="mesh")
def embed(
    distance: PerceptualDistance, frames_FHWC: jax.Array, *, mesh: Mesh | None = None
) -> jax.Array:
    """Embeds frames in batches: float32[F, D].

    Args:
      distance: An nnx module with `embed`.
      frames_FHWC: uint8.
      mesh: Mesh whose data axis shares the frames; its size must divide F.
    """
    return in_batches(
        lambda distance, frames_NHWC: distance.embed(frames_NHWC), distance, frames_FHWC, mesh=mesh
    )


def in_batches(
    function: Callable, network: nnx.Module, frames_FHWC: jax.Array, *rest, mesh: Mesh | None
) -> Any:
    """Maps `function(network, frames_NHWC, *rest_N)` over batches of frames that fit into memory.

    Args:
      function: Function of a batch; returns a tree of arrays with one entry per frame.
      network: An nnx module with `at_once`.
      frames_FHWC: The frames.
      *rest: Further arrays with one entry per frame.
      mesh: Mesh whose data axis shares the frames; its size must divide F.

    Returns:
      The outputs for all frames, joined.
    """
    graph, state = nnx.split(network)

    def share(state, *inputs):
        count, height, width, _ = inputs[0].shape
        batches = -(-count // (network.at_once or max(1, _pixels_at_once() // (height * width))))
        size = -(-count // batches)
        padding = batches * size - count

        def batched(x_F):
            x_F = jnp.pad(x_F, [(0, padding)] + [(0, 0)] * (x_F.ndim - 1))
            return x_F.reshape(batches, size, *x_F.shape[1:])

        outputs = jax.lax.map(
            lambda batch: function(nnx.merge(graph, state), *batch), tuple(map(batched, inputs))
        )
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:count], outputs)

    if mesh is not None:
        shares = (P("data"),) * (1 + len(rest))
        # Some networks scan over constants, which check_vma rejects.
        share = jax.shard_map(
            share, mesh=mesh, in_specs=(P(), *shares), out_specs=P("data"), check_vma=False
        )
    return share(state, frames_FHWC, *rest)


@jax.jit
def between(first_FD: jax.Array, second_GD: jax.Array, pairs_P2: jax.Array) -> jax.Array:
    """Distances between chosen rows of two sets of embeddings: float32[P].

    Args:
      first_FD: Embeddings from `embed`.
      second_GD: Embeddings from `embed`.
      pairs_P2: int32, an index into each.
    """
    # One pair at a time: gathering all pairs would copy the embeddings.
    return jax.lax.map(
        lambda pair: squared_distance(first_FD[pair[0]], second_GD[pair[1]]), pairs_P2
    )


@nnx.jit
def distances(
    distance: PerceptualDistance, first_NHWC: jax.Array, second_NHWC: jax.Array
) -> jax.Array:
    """Distances of pictures to as many others, or of all to one: float32[N].

    Only the embedding of a single second picture is kept; it is computed once.
    """
    if len(second_NHWC) == 1:
        second_1D = distance.embed(second_NHWC)

        def to_one(distance, first_NHWC):
            return squared_distance(distance.embed(first_NHWC), second_1D)

        return in_batches(to_one, distance, first_NHWC, mesh=None)

    def to_each(distance, first_NHWC, second_NHWC):
        return squared_distance(distance.embed(first_NHWC), distance.embed(second_NHWC))

    return in_batches(to_each, distance, first_NHWC, second_NHWC, mesh=None)


def nearest(progress_T: np.ndarray, wanted_N: np.ndarray) -> np.ndarray:
    """Index of the frame whose progress is nearest to each wanted one: int[N].

    Ties, up to rounding, go to the earlier frame, also in a video played backwards.
    """
    apart_NT = np.abs(progress_T[None, :] - wanted_N[:, None])
    return (apart_NT <= apart_NT.min(axis=1, keepdims=True) + 1e-6).argmax(axis=1)


def _pixels_at_once() -> int:
    return _PIXELS_AT_ONCE_ON_CPU if jax.default_backend() == "cpu" else _PIXELS_AT_ONCE
