"""Prompts to what a published model's transformer takes of them."""

import os
import pathlib
from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from painting_jax.checkpoints.components import load_text_encoder
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.text import embeddings as text_embeddings
from painting_jax.text import prompts
from painting_jax.text.embeddings import TextEncoder


def default_cache() -> pathlib.Path:
    """Where embeddings are kept for all runs of a user."""
    caches = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(caches, "painting_jax", "text_embeddings")


def embed(
    folder: Folder,
    texts: Iterable[str],
    *,
    mesh: Mesh,
    dtype,
    cache: str | os.PathLike | None = None,
) -> dict[str, Float[np.ndarray, "l d"]]:
    """Embeds prompts, loading the model's text encoder only if one is new, and freeing it.

    Args:
      folder: of the model.
      texts: prompts; the same one may come several times.
      mesh: to lay the encoder out on.
      dtype: that the encoder computes in.
      cache: folder of the embeddings that are known; None = `default_cache`.

    Returns:
      Prompt to its tokens' embeddings, for `text_embeddings.pad`.

    Raises:
      UserError: if tokenizer or encoder cannot be read.
    """
    tokenizer, encoder = folder.folder("tokenizer"), folder.folder("text_encoder")

    def open_encoder() -> TextEncoder:
        return TextEncoder(
            prompts.load_tokenizer(tokenizer), load_text_encoder(folder, mesh=mesh, dtype=dtype)
        )

    return text_embeddings.embed(
        texts,
        cache=default_cache() if cache is None else cache,
        fingerprint=text_embeddings.fingerprint(
            [tokenizer, encoder], dtype=jnp.dtype(dtype).name, length=text_embeddings.LENGTH
        ),
        open_encoder=open_encoder,
    )
