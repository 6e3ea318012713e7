"""How a process is put into words for a model: its entry in a row of a batch."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from painting_jax.data.tokenizer import Tokenizer
from painting_jax.errors import UserError


class Words(Protocol):
    """Turns what is painted, in which media, into arrays."""

    def row(self, caption: str, mixture: Mapping[str, float]) -> dict[str, np.ndarray]:
        """The arrays of one row, by their name in a batch.

        Args:
          caption: what is painted and how, without the medium; may be empty.
          mixture: weight by medium.
        """
        ...


@dataclasses.dataclass(frozen=True)
class TokenIds:
    """Captions alone, as `text_BL`; such a model is told the medium by `medium_BM`.

    Attributes:
      tokenizer: for the captions.
      length: L, tokens that a caption is cut or padded to.
    """

    tokenizer: Tokenizer
    length: int

    def __post_init__(self):
        if self.length < 1:
            raise UserError(f"text_length must be at least 1, not {self.length}")

    def row(self, caption: str, mixture: Mapping[str, float]) -> dict[str, np.ndarray]:
        del mixture
        return {"text_BL": self.tokenizer.encode([caption], self.length)[0]}
