"""Text embeddings: computed once per distinct prompt, kept on disk, the encoder freed afterwards.

A text encoder of eleven gigabytes and a handful of prompts: it is opened only if a prompt is new.
"""

import functools
import gc
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

import jax
import numpy as np
import transformers
from flax import nnx

from painting_jax.checkpoints import safetensors_file
from painting_jax.errors import UserError
from painting_jax.models.umt5.modeling import UMT5Encoder
from painting_jax.text import prompts

LENGTH = 512  # tokens, of all Wan models

_SHORTEST = 16
_BLOCKS, _BLOCK_BYTES = 64, 4096


class TextEncoder:
    """A tokenizer and the model it belongs to: a cleaned prompt to float32[L, D].

    Args:
      tokenizer: of transformers.
      model: the encoder.
      length: tokens at most; longer prompts are cut.

    Raises:
      UserError: if the tokenizer has more tokens than the model.
    """

    def __init__(
        self,
        tokenizer: transformers.PreTrainedTokenizerBase,
        model: UMT5Encoder,
        length: int = LENGTH,
    ):
        self._config = model.config
        if len(tokenizer) > self._config.vocabulary:
            raise UserError(
                f"the tokenizer has {len(tokenizer)} tokens and the text encoder "
                f"{self._config.vocabulary}: they do not belong together"
            )
        self._tokenizer, self._length = tokenizer, length
        self._graph, self._state = nnx.split(model)

    def __call__(self, prompt: str) -> np.ndarray:
        """The embeddings of a prompt's tokens, padding left out (it would be zeros)."""
        ids_L = prompts.encode(self._tokenizer, prompt, self._length)
        if not len(ids_L):
            return np.zeros((0, self._config.dim), np.float32)
        # Nothing attends to padding: a power of two gives the same numbers as the full length in
        # a fraction of the time, and few programs to compile.
        padded = min(max(_SHORTEST, 1 << (len(ids_L) - 1).bit_length()), self._length)
        ids_1L = np.zeros((1, padded), np.int32)
        ids_1L[0, : len(ids_L)] = ids_L
        mask_1L = np.arange(padded)[None] < len(ids_L)
        return np.asarray(_apply(self._graph, self._state, ids_1L, mask_1L)[0, : len(ids_L)])


@functools.partial(jax.jit, static_argnums=0)
def _apply(graph, state, ids_BL, mask_BL):
    return nnx.merge(graph, state)(ids_BL, mask_BL)


def embed(
    texts: Iterable[str],
    *,
    cache: str | os.PathLike,
    fingerprint: str,
    open_encoder: Callable[[], Callable[[str], np.ndarray]],
) -> dict[str, np.ndarray]:
    """Embeds each distinct prompt, from the cache where it can.

    Args:
      texts: prompts, not cleaned, repeated or not.
      cache: a folder, made if it does not exist. An entry that is damaged is computed again.
      fingerprint: of the encoder (`fingerprint`); embeddings of others are left alone.
      open_encoder: loads the encoder (a `TextEncoder`): called once, and only if a prompt is not in
        the cache. No reference to the encoder is kept.

    Returns:
      Prompt, as given, to float32[L, D]: its tokens' embeddings, for `pad`.
    """
    cleaned = {text: prompts.clean(text) for text in texts}
    paths = {prompt: _path(cache, fingerprint, prompt) for prompt in cleaned.values()}
    found = {prompt: _read(path, prompt) for prompt, path in paths.items()}
    missing = [prompt for prompt, embedding_LD in found.items() if embedding_LD is None]
    if missing:
        encoder = open_encoder()
        for prompt in missing:
            found[prompt] = encoder(prompt)
            _write(paths[prompt], prompt, found[prompt])
        # Eleven gigabytes are not left to whenever the next look for cycles happens to be.
        del encoder
        gc.collect()
    return {text: found[prompt] for text, prompt in cleaned.items()}


def pad(embeddings_LD: Sequence[np.ndarray], length: int = LENGTH) -> np.ndarray:
    """float32[B, length, D]: embeddings of several prompts, each filled up with zeros."""
    padded_BLD = np.zeros((len(embeddings_LD), length, embeddings_LD[0].shape[1]), np.float32)
    for row_LD, embedding_LD in zip(padded_BLD, embeddings_LD, strict=True):
        row_LD[: len(embedding_LD)] = embedding_LD
    return padded_BLD


def fingerprint(folders: Iterable[str | os.PathLike], **settings) -> str:
    """What tells text encoders apart, without reading the whole of one.

    Args:
      folders: of the tokenizer and of the encoder. Their files count by name, size and 64 blocks
        of 4 KiB spread evenly: a copy in another place has the same fingerprint, and training
        changes it.
      settings: what else the numbers depend on: the dtype, the length. JSON values.

    Returns:
      32 hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for folder in map(pathlib.Path, folders):
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            size = path.stat().st_size
            digest.update(f"\0{path.name}\0{size}\0".encode())
            with path.open("rb") as file:
                if size <= _BLOCKS * _BLOCK_BYTES:
                    digest.update(file.read())
                    continue
                for start in np.linspace(0, size - _BLOCK_BYTES, _BLOCKS, dtype=np.int64):
                    file.seek(int(start))
                    digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()[:32]


def _path(cache: str | os.PathLike, fingerprint: str, prompt: str) -> pathlib.Path:
    name = hashlib.sha256(prompt.encode()).hexdigest()[:32]
    return pathlib.Path(cache) / fingerprint / f"{name}.safetensors"


def _write(path: pathlib.Path, prompt: str, embedding_LD: np.ndarray) -> None:
    tensor = safetensors_file.PendingTensor(
        embedding_LD.dtype, embedding_LD.shape, lambda: embedding_LD
    )
    metadata = {"prompt": prompt, "sha256": _checksum(prompt, embedding_LD)}
    safetensors_file.write_file(path, {"embedding": tensor}, metadata)


def _read(path: pathlib.Path, prompt: str) -> np.ndarray | None:
    """What `_write` wrote; None if there is nothing or it is damaged."""
    try:
        tensors, metadata = safetensors_file.read_header(path)
        # Copied, as the file may be replaced.
        embedding_LD = np.array(tensors["embedding"].view())
    except (UserError, KeyError):
        return None
    intact = metadata.get("sha256") == _checksum(prompt, embedding_LD)
    return embedding_LD if intact else None


def _checksum(prompt: str, embedding_LD: np.ndarray) -> str:
    about = json.dumps([prompt, embedding_LD.dtype.str, embedding_LD.shape])
    return hashlib.sha256(about.encode() + embedding_LD.tobytes()).hexdigest()
