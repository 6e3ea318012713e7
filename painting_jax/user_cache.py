"""The folder where all runs of a user keep what takes long to make."""

import os
import pathlib


def user_cache(name: str) -> pathlib.Path:
    """A subfolder of the user's cache, which need not exist."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(caches, "painting_jax", name)
