"""How a process is put into words for a model: its entry in a row of a batch."""

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np

from painting_jax import media
from painting_jax.errors import UserError
from painting_jax.text import embeddings as text_embeddings
from painting_jax.text.tokenizer import Tokenizer


class Words(Protocol):
    """Turns what is painted, in which media, into arrays."""

    def row(self, caption: str, mixture: Mapping[str, float]) -> dict[str, np.ndarray]:
        """The arrays of one row, by their name in a batch.

        Args:
          caption: what is painted and how, without the medium; may be empty.
          mixture: weight by medium.
        """
        ...

    def expect(self, processes: Iterable[tuple[str, str]]) -> None:
        """Gets ready for rows of processes, of each its caption and its medium."""
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

    def expect(self, processes: Iterable[tuple[str, str]]) -> None:
        """Does nothing: a caption's ids are made in no time."""
        del processes


class Prompts:
    """Media and captions as one prompt, embedded by a published text encoder: `text_BLD`.

    Args:
      embed: prompts to their embeddings, as of `text_embeddings.embed`.
    """

    def __init__(self, embed: Callable[[Iterable[str]], Mapping[str, np.ndarray]]):
        self._embed = embed
        self._known: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def expect(self, processes: Iterable[tuple[str, str]]) -> None:
        """Embeds their prompts, with their captions and without, and the empty one."""
        told = {
            media.prompt({medium: 1.0}, words)
            for caption, medium in processes
            for words in ("", caption)
        }
        self._learn({"", *told})

    def _learn(self, prompts: Iterable[str]) -> None:
        """Embeds those that are new, the encoder being opened once for all of them."""
        with self._lock:
            new = set(prompts) - self._known.keys()
            if new:
                self._known |= self._embed(sorted(new))

    def embedding(self, prompt: str) -> np.ndarray:
        """float32[L, D]: a prompt's embedding, padded."""
        self._learn([prompt])
        return text_embeddings.pad([self._known[prompt]])[0]

    def row(self, caption: str, mixture: Mapping[str, float]) -> dict[str, np.ndarray]:
        return {"text_BLD": self.embedding(media.prompt(mixture, caption))}
