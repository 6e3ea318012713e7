"""Cleaning and tokenizing of prompts for published text encoders."""

import html
import os
import re
from typing import TYPE_CHECKING

import ftfy
import numpy as np

from painting_jax.errors import UserError

if TYPE_CHECKING:
    import transformers

# The reference uses Unicode's whitespace. Python's `re` adds the separators of files, groups,
# records and units to it.
_WHITESPACE = re.compile(r"[^\S\x1c-\x1f]+")


def clean(prompt: str) -> str:
    """Cleans a prompt like Wan and diffusers' Wan pipelines (`prompt_clean`).

    Wrongly decoded text, curly quotes and ligatures are repaired. HTML entities are unescaped, also
    when they are escaped twice. Runs of whitespace become one space, and are stripped at the ends.
    """
    prompt = html.unescape(html.unescape(ftfy.fix_text(prompt))).strip()
    return _WHITESPACE.sub(" ", prompt).strip()


def load_tokenizer(folder: str | os.PathLike) -> "transformers.PreTrainedTokenizerBase":
    """Loads a tokenizer in transformers' layout (tokenizer.json or spiece.model) from disk.

    Raises:
      UserError: if the folder holds no readable tokenizer, or one that needs code of its own.
    """
    # Imported here, since it takes a second, and small models do without it.
    import transformers  # noqa: PLC0415

    if not os.path.isdir(folder):
        raise UserError(f"{folder} does not exist: name a folder with a tokenizer.json")
    try:
        # Without trust_remote_code=False the library asks whether to run code from the folder.
        return transformers.AutoTokenizer.from_pretrained(
            os.fspath(folder), local_files_only=True, trust_remote_code=False
        )
    # The library raises errors of any type for files that it does not understand, and for code.
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise UserError(
                f"{folder} has a tokenizer with code of its own, which is never run: name a folder "
                "with a tokenizer of transformers' own, such as Wan's"
            ) from error
        reason = " ".join(str(error).split())
        raise UserError(f"{folder} holds no readable tokenizer: {reason}") from error


def encode(
    tokenizer: "transformers.PreTrainedTokenizerBase", prompt: str, length: int
) -> np.ndarray:
    """The token ids of a cleaned prompt with its end token: int32[L], L at most `length`."""
    ids = tokenizer(prompt, truncation=True, max_length=length, add_special_tokens=True).input_ids
    return np.asarray(ids, np.int32)
