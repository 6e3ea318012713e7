"""Padding of a video's tokens, so that the sequence axis of the mesh divides them.

Each frame gets the same number of tokens of padding, since modulations act frame by frame. There is
no mask: the padding is cut from keys and values, and what its queries find is cut off in the end.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


@dataclasses.dataclass(frozen=True)
class Padding:
    """How the tokens of a video are padded.

    Attributes:
      frames: Number of frames F.
      tokens: Number of tokens P of a frame.
      padded: Number of tokens of a padded frame.
    """

    frames: int
    tokens: int
    padded: int

    @classmethod
    def of(cls, frames: int, tokens: int) -> "Padding":
        """The least padding for the current mesh (`jax.set_mesh`); none without one."""
        mesh = jax.sharding.get_abstract_mesh()
        devices = 1 if mesh.empty else mesh.shape.get("sequence", 1)
        multiple = devices // math.gcd(frames, devices)
        return cls(frames, tokens, -(-tokens // multiple) * multiple)

    def pad(self, x: Float[Array, "*b s d"]) -> Float[Array, "*b s2 d"]:
        """Adds zeros behind the tokens of each frame."""
        if self.padded == self.tokens:
            return x
        x = x.reshape(*x.shape[:-2], self.frames, self.tokens, x.shape[-1])
        widths = [(0, 0)] * (x.ndim - 2) + [(0, self.padded - self.tokens), (0, 0)]
        x = jnp.pad(x, widths)
        return x.reshape(*x.shape[:-3], self.frames * self.padded, x.shape[-1])

    def cut(self, x: Float[Array, "*b s2 d"]) -> Float[Array, "*b s d"]:
        """Takes the padding out again."""
        if self.padded == self.tokens:
            return x
        x = x.reshape(*x.shape[:-2], self.frames, self.padded, x.shape[-1])
        x = x[..., : self.tokens, :]
        return x.reshape(*x.shape[:-3], self.frames * self.tokens, x.shape[-1])

    def counts(self, first: Int[Array, ""] | int, tokens: int) -> Bool[Array, " s"] | None:
        """Which of `tokens` tokens from the first on are no padding; None = there is no padding."""
        if self.padded == self.tokens:
            return None
        return (first + jnp.arange(tokens)) % self.padded < self.tokens
