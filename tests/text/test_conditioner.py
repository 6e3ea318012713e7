"""PromptConditioner are embedded once and padded."""

import numpy as np

from painting_jax import media
from painting_jax.text.conditioner import PromptConditioner

ASKED: list[list[str]] = []


def embed(prompts):
    """Each prompt as one token per word, which is the number of its letters."""
    ASKED.append(list(prompts))
    return {
        prompt: np.array([[len(word)] for word in prompt.split()], np.float32).reshape(-1, 1)
        for prompt in prompts
    }


def test_media_and_caption_are_one_prompt_padded_with_zeros():
    row = PromptConditioner(embed).encode("a cat", {"oil": 1.0})
    words = f"{media.MEDIA['oil'].prompt} a cat".split()
    assert row["text_BLD"].shape == (512, 1)
    np.testing.assert_array_equal(row["text_BLD"][: len(words), 0], [len(word) for word in words])
    assert not row["text_BLD"][len(words) :].any()


def test_prepared_prompts_are_embedded_once_and_all_together():
    ASKED.clear()
    conditioner = PromptConditioner(embed)
    conditioner.prepare([("a cat", "oil"), ("a cat", "oil"), ("", "ink")])
    oil, ink = media.MEDIA["oil"].prompt, media.MEDIA["ink"].prompt
    assert [["", ink, oil, f"{oil} a cat"]] == ASKED
    conditioner.encode("a cat", {"oil": 1.0})
    assert not conditioner.embedding("").any()
    assert len(ASKED) == 1
    conditioner.encode("a dog", {"oil": 1.0})
    assert ASKED[1:] == [[f"{oil} a dog"]]
