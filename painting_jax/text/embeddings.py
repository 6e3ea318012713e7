"""Embeddings of prompts by a published text encoder, cached on disk.

The encoder has eleven gigabytes and there are a handful of prompts. It is loaded only for prompts
that are not in the cache, and freed afterwards.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Float

from painting_jax.checkpoints import safetensors_file
from painting_jax.checkpoints.components import load_named
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError
from painting_jax.files import local, remove_unfinished
from painting_jax.models.umt5.modeling import UMT5Encoder
from painting_jax.text import prompts
from painting_jax.user_cache import user_cache

if TYPE_CHECKING:
    import transformers

LENGTH = 512  # tokens, in all Wan models

_MIN_PADDED = 16
_BLOCKS, _BLOCK_BYTES = 64, 4096


def embed_prompts(
    folder: Folder,
    texts: Iterable[str],
    *,
    mesh: Mesh,
    dtype,
    cache: str | os.PathLike | None = None,
) -> dict[str, Float[np.ndarray, "l d"]]:
    """Embeds prompts with a model's text encoder.

    Args:
      folder: folder of the model.
      texts: prompts, repeated or not.
      mesh: mesh to lay the encoder out on.
      dtype: dtype that the encoder computes in.
      cache: folder of cached embeddings; None = the user's.

    Returns:
      The embeddings of each prompt's tokens, for `pad`.

    Raises:
      UserError: if tokenizer or encoder cannot be read.
    """
    tokenizer, encoder = folder.folder("tokenizer"), folder.folder("text_encoder")

    @contextlib.contextmanager
    def open_encoder() -> Iterator[TextEncoder]:
        encoder = TextEncoder(
            prompts.load_tokenizer(tokenizer),
            load_named(folder, "text_encoder", mesh=mesh, dtype=dtype).model(),
        )
        with contextlib.closing(encoder):
            yield encoder

    return embed_cached(
        texts,
        cache=user_cache("text_embeddings") if cache is None else cache,
        fingerprint=fingerprint([tokenizer, encoder], dtype=jnp.dtype(dtype).name, length=LENGTH),
        open_encoder=open_encoder,
    )


class TextEncoder:
    """A tokenizer and its model: maps a cleaned prompt to embeddings, float32[L, D].

    Args:
      tokenizer: tokenizer of transformers.
      model: the encoder.
      length: largest number of tokens; longer prompts are truncated.

    Raises:
      UserError: if the tokenizer has more tokens than the model.
    """

    def __init__(
        self,
        tokenizer: "transformers.PreTrainedTokenizerBase",
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
        """The embeddings of a prompt's tokens, without padding."""
        ids_L = prompts.encode(self._tokenizer, prompt, self._length)
        if not len(ids_L):
            return np.zeros((0, self._config.dim), np.float32)
        # Nothing attends to padding, so any padding gives the same values. Powers of two are faster
        # than the full length, and few shapes are compiled.
        padded = min(max(_MIN_PADDED, 1 << (len(ids_L) - 1).bit_length()), self._length)
        ids_1L = np.zeros((1, padded), np.int32)
        ids_1L[0, : len(ids_L)] = ids_L
        mask_1L = np.arange(padded)[None] < len(ids_L)
        return np.asarray(_apply(self._graph, self._state, ids_1L, mask_1L)[0, : len(ids_L)])

    def close(self) -> None:
        """Frees eleven gigabytes now: the model's objects refer to each other, and stay a while."""
        for leaf in jax.tree.leaves(self._state):
            leaf.delete()


@functools.partial(jax.jit, static_argnums=0)
def _apply(graph, state, ids_BL, mask_BL):
    return nnx.merge(graph, state)(ids_BL, mask_BL)


def embed_cached(
    texts: Iterable[str],
    *,
    cache: str | os.PathLike,
    fingerprint: str,
    open_encoder: Callable[[], AbstractContextManager[Callable[[str], np.ndarray]]],
) -> dict[str, np.ndarray]:
    """Embeds each distinct prompt, or reads it from the cache.

    Args:
      texts: prompts, not cleaned, repeated or not.
      cache: cache folder, created if it does not exist. Damaged entries are computed again. Where
        it cannot be written, a warning says so.
      fingerprint: fingerprint of the encoder (see `fingerprint`). Each has entries of its own.
      open_encoder: opens the encoder (a `TextEncoder`) as a context, at whose end it is closed. It
        is called once, and only if a prompt is not in the cache.

    Returns:
      The embeddings of each prompt's tokens by the prompt as given, float32[L, D], for `pad`.
    """
    cleaned = {text: prompts.clean(text) for text in texts}
    paths = {prompt: _path(cache, fingerprint, prompt) for prompt in cleaned.values()}
    found = {prompt: _read(path, prompt) for prompt, path in paths.items()}
    missing = [prompt for prompt, embedding_LD in found.items() if embedding_LD is None]
    if missing:
        remove_unfinished(paths[missing[0]].parent)
        with open_encoder() as encoder:
            writable = True
            for prompt in missing:
                found[prompt] = encoder(prompt)
                writable = writable and _kept(paths[prompt], prompt, found[prompt])
    return {text: found[prompt] for text, prompt in cleaned.items()}


def pad(embeddings_LD: Sequence[np.ndarray], length: int = LENGTH) -> np.ndarray:
    """The embeddings of several prompts, padded with zeros: [B, length, D] of their dtype."""
    first_LD = embeddings_LD[0]
    padded_BLD = np.zeros((len(embeddings_LD), length, first_LD.shape[1]), first_LD.dtype)
    for row_LD, embedding_LD in zip(padded_BLD, embeddings_LD, strict=True):
        row_LD[: len(embedding_LD)] = embedding_LD
    return padded_BLD


def fingerprint(paths: Iterable[str | os.PathLike], **settings) -> str:
    """A hash of published weights that does not read all of them.

    Files count by name, size and 64 evenly spaced blocks of 4 KiB. A copy has the same fingerprint;
    training changes it.

    Args:
      paths: files, and folders of components such as the tokenizer and the text encoder.
      settings: JSON values to hash as well, such as the dtype and the length.

    Returns:
      32 hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for given in map(pathlib.Path, paths):
        for path in sorted(given.iterdir()) if given.is_dir() else [given]:
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


def _path(cache: str | os.PathLike, fingerprint: str, prompt: str) -> epath.Path:
    name = hashlib.sha256(prompt.encode()).hexdigest()[:32]
    return epath.Path(cache) / fingerprint / f"{name}.safetensors"


def _kept(path: epath.Path, prompt: str, embedding_LD: np.ndarray) -> bool:
    """Writes an entry, or warns: a cache that cannot be written costs time, not the work."""
    try:
        _write(path, prompt, embedding_LD)
    except (UserError, OSError) as error:
        print(f"warning: text embeddings are not kept for next time: {error}", file=sys.stderr)
        return False
    return True


def _write(path: epath.Path, prompt: str, embedding_LD: np.ndarray) -> None:
    tensor = safetensors_file.PendingTensor(
        embedding_LD.dtype, embedding_LD.shape, lambda: embedding_LD
    )
    metadata = {"prompt": prompt, "sha256": _checksum(prompt, embedding_LD)}
    safetensors_file.write_file(path, {"embedding": tensor}, metadata)


def _read(path: epath.Path, prompt: str) -> np.ndarray | None:
    """Reads an entry; None if it is missing or damaged."""
    try:
        tensors, metadata = safetensors_file.read_header(local(path))
        # A copy, as another process may replace the file.
        embedding_LD = np.array(tensors["embedding"].view())
    except (UserError, KeyError, OSError):
        return None
    intact = metadata.get("sha256") == _checksum(prompt, embedding_LD)
    return embedding_LD if intact else None


def _checksum(prompt: str, embedding_LD: np.ndarray) -> str:
    about = json.dumps([prompt, embedding_LD.dtype.str, embedding_LD.shape])
    return hashlib.sha256(about.encode() + embedding_LD.tobytes()).hexdigest()
