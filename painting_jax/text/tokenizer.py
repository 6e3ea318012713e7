"""Words to token ids: a small vocabulary learnt from the captions."""

import collections
import functools
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np
import tokenizers
import transformers
from etils import epath

from painting_jax.errors import UserError

PAD, UNKNOWN = "[PAD]", "[UNK]"


class Tokenizer:
    """A word-level tokenizer: lower-cased words and punctuation marks are its tokens.

    Id 0 is padding, 1 an unknown word.

    Attributes:
      vocabulary_size: the number of ids.
    """

    def __init__(self, fast: transformers.PreTrainedTokenizerFast):
        self._fast = fast
        self.vocabulary_size: int = len(fast)
        self._ids = functools.lru_cache(maxsize=1 << 16)(self._encode)

    @classmethod
    def train(cls, captions: Iterable[str], size: int = 1024) -> "Tokenizer":
        """Learns the `size` - 2 most frequent words; of equally frequent ones the first by name."""
        splitter = _splitter()
        counts = collections.Counter(
            word for text in captions for word, _ in splitter.pre_tokenize_str(text.lower())
        )
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        words = [PAD, UNKNOWN, *ranked[: size - 2]]
        vocabulary = {word: index for index, word in enumerate(words)}
        model = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=UNKNOWN))
        model.normalizer = tokenizers.normalizers.Lowercase()
        model.pre_tokenizer = splitter
        return cls(
            transformers.PreTrainedTokenizerFast(
                tokenizer_object=model, pad_token=PAD, unk_token=UNKNOWN
            )
        )

    @classmethod
    def load(cls, folder: epath.PathLike) -> "Tokenizer":
        """Loads what `save` wrote.

        Raises:
          UserError: if the folder holds no tokenizer, or a damaged one.
        """
        if not (epath.Path(folder) / "tokenizer.json").exists():
            raise UserError(f"{folder} holds no tokenizer: name a run that has begun training")
        try:
            return cls(transformers.PreTrainedTokenizerFast.from_pretrained(os.fspath(folder)))
        # The library has no error of its own for files it does not understand.
        except Exception as error:
            raise UserError(f"{folder} holds a damaged tokenizer: {error!r}") from error

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the tokenizer as a folder (JSON files), beside it and renamed."""
        folder = pathlib.Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished_") as temporary:
            new = pathlib.Path(temporary) / folder.name
            self._fast.save_pretrained(new)
            if folder.exists():
                shutil.rmtree(folder)
            new.rename(folder)

    def encode(self, texts: Sequence[str], length: int) -> np.ndarray:
        """int32[B, length]: the ids of each text, cut or padded with 0; an empty text is all 0."""
        ids_BL = np.zeros((len(texts), length), np.int32)
        for row, text in enumerate(texts):
            ids = self._ids(text)[:length]
            ids_BL[row, : len(ids)] = ids
        return ids_BL

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._fast.encode(text, add_special_tokens=False))


def _splitter() -> tokenizers.pre_tokenizers.PreTokenizer:
    return tokenizers.pre_tokenizers.Whitespace()
