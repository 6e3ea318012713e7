"""Prompts to the token ids that Wan's text encoder takes."""

import html
import os
import re

import numpy as np
import transformers

from painting_jax.errors import UserError

try:
    import ftfy
except ImportError:
    ftfy = None

# The separators of files, groups, records and units are whitespace to `re` and not to Unicode,
# whose list the reference follows.
_WHITESPACE = re.compile(r"[^\S\x1c-\x1f]+")


def clean(prompt: str) -> str:
    """Tidies a prompt as diffusers' Wan pipelines do (`prompt_clean`).

    HTML entities, also twice escaped ones, become their characters; any run of whitespace becomes
    one space, none at the ends. With the package ftfy installed, which diffusers asks for, wrongly
    decoded text is repaired first, curly quotes become straight ones and ligatures letters.
    """
    if ftfy is not None:
        prompt = ftfy.fix_text(prompt)
    prompt = html.unescape(html.unescape(prompt)).strip()
    return _WHITESPACE.sub(" ", prompt).strip()


def load_tokenizer(folder: str | os.PathLike) -> transformers.PreTrainedTokenizerBase:
    """Loads a tokenizer in transformers' layout (tokenizer.json or spiece.model) from disk.

    Raises:
      UserError: if the folder does not hold one that can be read, or only by code of its own.
    """
    if not os.path.isdir(folder):
        raise UserError(f"{folder} does not exist: name a folder with a tokenizer.json")
    try:
        # Left unsaid, the library asks at the terminal whether to run what lies in the folder.
        return transformers.AutoTokenizer.from_pretrained(
            os.fspath(folder), local_files_only=True, trust_remote_code=False
        )
    # The library has no error of its own for files it does not understand, nor for code.
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise UserError(
                f"{folder} has a tokenizer with code of its own, which is never run: name a folder "
                "with a tokenizer of transformers' own, such as Wan's"
            ) from error
        why = " ".join(str(error).split())
        raise UserError(f"{folder} holds no tokenizer that can be read: {why}") from error


def encode(tokenizer: transformers.PreTrainedTokenizerBase, prompt: str, length: int) -> np.ndarray:
    """int32[L], L <= length: a cleaned prompt's token ids, cut, with the tokenizer's end mark."""
    ids = tokenizer(prompt, truncation=True, max_length=length, add_special_tokens=True).input_ids
    return np.asarray(ids, np.int32)
