"""How alike two pictures are to a network that sees content: CLIP, DINO."""

from typing import Protocol

import jax
import jax.numpy as jnp
from flax import nnx


class Features(Protocol):
    """A backbone that turns pictures into vectors whose direction says what they show.

    Attributes:
      label: what the numbers are called wherever they are shown; it names the weights.
      at_once: how many pictures are best given at a time; None = as their size allows.
    """

    label: str
    at_once: int | None

    def __call__(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D]."""


class CosineDistance(nnx.Module):
    """1 - cosine of the angle between features, as a `perceptual.PerceptualDistance`.

    Of vectors of unit length |a - b|^2 = 2 (1 - cos): scaled by the root of a half, the squared
    Euclidean distance is the one wanted.

    Attributes:
      label: what the numbers are called; that of the backbone.
      at_once: that of the backbone.
    """

    def __init__(self, features: Features):
        self.features = features
        self.label, self.at_once = features.label, features.at_once

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D], vectors of length sqrt(1/2)."""
        return unit(self.features(pictures_NHWC)) * jnp.sqrt(0.5)


@jax.jit
def cosine(a_ND: jax.Array, b_ND: jax.Array) -> jax.Array:
    """Cosines of the angles between the rows of two sets of features, float32[N] in [-1, 1].

    A row of zeros is at a right angle to everything.
    """
    return jnp.sum(unit(a_ND) * unit(b_ND), axis=-1)


def unit(x: jax.Array) -> jax.Array:
    """Vectors along the last axis scaled to length 1; zeros stay zeros."""
    x = x.astype(jnp.float32)
    # The largest value goes first, so that no square is too big or too small for float32.
    x = x / jnp.maximum(jnp.max(jnp.abs(x), axis=-1, keepdims=True), 1e-30)
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-30)
