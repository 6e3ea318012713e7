"""What diffusers' Wan pipelines need for text and is not at hand: a tokenizer, ftfy."""

import types

import pytest
import transformers
from diffusers.pipelines.wan import pipeline_wan_i2v
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from painting_jax.text import prompts

WORDS = ("<pad>", "</s>", "<unk>", "a", "cat", "paints", "in", "oil", "slowly", "&", '"', ",")


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """A tokenizer of a few words, with T5's end mark."""
    fast = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "<unk>"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def stand_in_for_ftfy(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers calls ftfy whether it is installed or not: lacking, one that repairs nothing."""
    if prompts.ftfy is None:
        idle = types.SimpleNamespace(fix_text=lambda text: text)
        monkeypatch.setattr(pipeline_wan_i2v, "ftfy", idle, raising=False)
