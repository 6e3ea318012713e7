"""Text conditioners: a caption and its medium to a model's text condition."""

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np

from painting_jax import media
from painting_jax.errors import UserError
from painting_jax.text import embeddings
from painting_jax.text.tokenizer import Tokenizer


class TextConditioner(Protocol):
    """Encodes captions and media as arrays of a batch."""

    def encode(self, caption: str, mixture: Mapping[str, float]) -> dict[str, np.ndarray]:
        """The arrays of one row of a batch by name.

        Args:
          caption: subject and manner, without the medium; may be empty.
          mixture: weights of the media.
        """
        ...

    def prepare(self, processes: Iterable[tuple[str, str]]) -> None:
        """Prepares to encode processes, each given by its caption and its medium."""
        ...

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that the model cannot know."""
        ...


@dataclasses.dataclass(frozen=True)
class TokenConditioner:
    """Encodes captions as token ids, `text_BL`. The model gets the medium as `medium_BM`.

    Attributes:
      tokenizer: tokenizer of the captions.
      length: L, number of tokens that captions are truncated or padded to.
    """

    tokenizer: Tokenizer
    length: int

    def __post_init__(self):
        if self.length < 1:
            raise UserError(f"text_length must be at least 1, not {self.length}")

    def encode(self, caption: str, mixture: Mapping[str, float]) -> dict[str, np.ndarray]:
        del mixture
        return {"text_BL": self.tokenizer.encode([caption], self.length)[0]}

    def prepare(self, processes: Iterable[tuple[str, str]]) -> None:
        """Does nothing: tokenizing is fast."""
        del processes

    def unknown(self, caption: str) -> list[str]:
        return self.tokenizer.unknown([caption])


class PromptConditioner:
    """Encodes medium and caption as the embeddings of one prompt, `text_BLD`.

    Args:
      embed: maps prompts to their embeddings, like `embeddings.embed_prompts`.
    """

    def __init__(self, embed: Callable[[Iterable[str]], Mapping[str, np.ndarray]]):
        self._embed = embed
        self._embeddings: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def prepare(self, processes: Iterable[tuple[str, str]]) -> None:
        """Embeds the processes' prompts with and without captions, and the empty prompt."""
        prompts = {
            media.prompt({medium: 1.0}, text)
            for caption, medium in processes
            for text in ("", caption)
        }
        self._embed_new({"", *prompts})

    def unknown(self, caption: str) -> list[str]:
        """No words: a text encoder reads every text."""
        del caption
        return []

    def _embed_new(self, prompts: Iterable[str]) -> None:
        """Embeds new prompts together, so that the encoder is loaded once."""
        with self._lock:
            new = set(prompts) - self._embeddings.keys()
            if new:
                self._embeddings |= self._embed(sorted(new))

    def embedding(self, prompt: str) -> np.ndarray:
        """The padded embedding of a prompt, float32[L, D]."""
        self._embed_new([prompt])
        return embeddings.pad([self._embeddings[prompt]])[0]

    def encode(self, caption: str, mixture: Mapping[str, float]) -> dict[str, np.ndarray]:
        return {"text_BLD": self.embedding(media.prompt(mixture, caption))}
