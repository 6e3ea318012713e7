"""A tokenizer for the tests of Wan's text encoder."""

import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

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
