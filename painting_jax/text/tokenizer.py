"""A word-level tokenizer with a small vocabulary, learned from captions."""

import collections
import functools
import json
import os
from collections.abc import Iterable, Sequence

import numpy as np
import tokenizers
from etils import epath

from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside

PAD, UNKNOWN = "[PAD]", "[UNK]"

_FILE = "tokenizer.json"
_FOR_TRANSFORMERS = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "pad_token": PAD,
    "unk_token": UNKNOWN,
}


class Tokenizer:
    """A word-level tokenizer, whose tokens are lower-case words and punctuation marks.

    Id 0 is padding, 1 an unknown word.

    Attributes:
      vocabulary_size: number of token ids.
    """

    def __init__(self, words: tokenizers.Tokenizer):
        self._words = words
        self._vocabulary: dict[str, int] = words.get_vocab()
        self.vocabulary_size = len(self._vocabulary)
        self._ids = functools.lru_cache(maxsize=1 << 16)(self._encode)

    @classmethod
    def train(
        cls, captions: Iterable[str], size: int = 1024, *, first: Iterable[str] = ()
    ) -> "Tokenizer":
        """Learns `size` - 2 words: those of the texts in `first`, then the most frequent ones.

        Ties are broken alphabetically.
        """
        return cls._of([PAD, UNKNOWN, *_ranked(first), *_ranked(captions)], size)

    def grown(
        self, captions: Iterable[str], size: int, *, first: Iterable[str] = ()
    ) -> "Tokenizer":
        """A tokenizer that also knows the words of other captions.

        Known words keep their ids. New words get the next ids, as in `train`, up to `size` ids.
        """
        known = sorted(self._vocabulary, key=self._vocabulary.__getitem__)
        return self._of([*known, *_ranked(first), *_ranked(captions)], max(size, len(known)))

    @classmethod
    def _of(cls, words: Iterable[str], size: int) -> "Tokenizer":
        distinct = list(dict.fromkeys(words))[:size]
        vocabulary = {word: index for index, word in enumerate(distinct)}
        model = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=UNKNOWN))
        model.normalizer = tokenizers.normalizers.Lowercase()
        model.pre_tokenizer = _splitter()
        return cls(model)

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """The words of texts that are not in the vocabulary, the most frequent first."""
        return [word for word in _ranked(texts) if word not in self._vocabulary]

    @staticmethod
    def is_in(folder: epath.PathLike) -> bool:
        """Whether a folder holds a tokenizer."""
        return (epath.Path(folder) / _FILE).exists()

    @classmethod
    def load(cls, folder: epath.PathLike) -> "Tokenizer":
        """Loads a tokenizer that `save` wrote.

        Raises:
          UserError: if the folder holds no tokenizer, or a damaged one.
        """
        if not cls.is_in(folder):
            raise UserError(f"{folder} holds no tokenizer: name a run that has begun training")
        path = epath.Path(folder) / _FILE
        try:
            return cls(tokenizers.Tokenizer.from_str(path.read_text()))
        # The library raises errors of any type for files that it does not understand.
        except Exception as error:
            raise UserError(f"{folder} holds a damaged tokenizer: {error!r}") from error

    def save(self, folder: str | os.PathLike) -> None:
        """Writes a folder that transformers reads, too, beside it and renamed."""
        with folder_written_beside(folder, last=_FILE) as unfinished:
            self._words.save(os.fspath(unfinished / _FILE))
            (unfinished / "tokenizer_config.json").write_text(json.dumps(_FOR_TRANSFORMERS))

    def encode(self, texts: Sequence[str], length: int) -> np.ndarray:
        """The token ids of each text, truncated or padded with 0: int32[B, length]."""
        ids_BL = np.zeros((len(texts), length), np.int32)
        for row, text in enumerate(texts):
            ids = self._ids(text)[:length]
            ids_BL[row, : len(ids)] = ids
        return ids_BL

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._words.encode(text, add_special_tokens=False).ids)


def _ranked(texts: Iterable[str]) -> list[str]:
    """The distinct words of texts, the most frequent first, then in alphabetical order."""
    splitter = _splitter()
    counts = collections.Counter(
        word for text in texts for word, _ in splitter.pre_tokenize_str(text.lower())
    )
    return sorted(counts, key=lambda word: (-counts[word], word))


def _splitter() -> tokenizers.pre_tokenizers.PreTokenizer:
    return tokenizers.pre_tokenizers.Whitespace()
