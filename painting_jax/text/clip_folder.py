"""A published CLIP from its folder: the network of both towers, and the tokenizer of its texts."""

import functools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from flax import nnx

from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.source import Source, config_of
from painting_jax.errors import UserError
from painting_jax.models.clip import params
from painting_jax.models.clip.modeling import CLIP, CLIPConfig
from painting_jax.text import prompts

# From texts to token ids, cut and padded to one length: int32[M, L].
Tokenize = Callable[[Sequence[str]], np.ndarray]


def opened(source: Source) -> tuple[CLIPConfig, CLIP, Tokenize]:
    """Loads both towers. The tokenizer is looked for when texts are first tokenized.

    Raises:
      UserError: If there is no config.json, it is of another network, or a tensor is missing; from
        the tokenizer, if there is none beside the weights.
    """
    config = params.both_config(config_of(source))
    model = load_model(lambda: CLIP(config, rngs=nnx.Rngs(0)), source, [params.BOTH])
    return config, model, functools.partial(_tokenized, source.folder, config.text.length)


def _tokenized(folder: pathlib.Path, length: int, texts: Sequence[str]) -> np.ndarray:
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise UserError(
            f"{folder} has no tokenizer for texts: put its model's tokenizer.json there, or its "
            f"vocab.json and merges.txt"
        )
    tokenizer = prompts.load_tokenizer(folder)
    # Zero padding: CLIP finds a text's end as its first end token, or its largest id.
    ids_ML = np.zeros((len(texts), length), np.int32)
    for row_L, text in zip(ids_ML, texts, strict=True):
        ids = prompts.encode(tokenizer, text, length)
        row_L[: len(ids)] = ids
    return ids_ML
