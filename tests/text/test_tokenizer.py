import numpy as np
import pytest
import transformers

from painting_jax.errors import UserError
from painting_jax.text.tokenizer import Tokenizer

_CAPTIONS = ["a cat, on a warm ground", "a pagoda, broad strokes", "a cat"]


def test_empty_text_is_all_padding():
    assert not Tokenizer.train(_CAPTIONS).encode(["", " "], 5).any()


def test_words_are_told_apart_and_unknown_ones_share_an_id():
    ids = Tokenizer.train(_CAPTIONS).encode(["A Cat,", "a pagoda", "zebra quagga"], 3)
    assert ids.dtype == np.int32
    assert ids[0, 0] == ids[1, 0]
    assert ids[0, 1] != ids[1, 1]
    assert ids[0, 2] > 1  # the comma
    np.testing.assert_array_equal(ids[2], [1, 1, 0])


def test_long_text_is_cut():
    assert Tokenizer.train(_CAPTIONS).encode(["a cat " * 50], 4).shape == (1, 4)


def test_vocabulary_is_bounded_and_keeps_the_most_frequent():
    tokenizer = Tokenizer.train(_CAPTIONS, size=4)
    assert tokenizer.vocabulary_size == 4
    np.testing.assert_array_equal(tokenizer.encode(["a cat pagoda"], 3), [[2, 1, 1]])
    assert Tokenizer.train(_CAPTIONS, size=5).encode(["cat"], 1)[0, 0] > 1


def test_saved_and_loaded_encodes_the_same(tmp_path):
    tokenizer = Tokenizer.train(_CAPTIONS)
    tokenizer.save(tmp_path / "run" / "tokenizer")
    tokenizer.save(tmp_path / "run" / "tokenizer")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["tokenizer"]
    loaded = Tokenizer.load(tmp_path / "run" / "tokenizer")
    assert loaded.vocabulary_size == tokenizer.vocabulary_size
    texts = [*_CAPTIONS, "", "something else"]
    np.testing.assert_array_equal(loaded.encode(texts, 8), tokenizer.encode(texts, 8))


def test_transformers_reads_it_alike(tmp_path):
    tokenizer = Tokenizer.train(_CAPTIONS)
    tokenizer.save(tmp_path / "tokenizer")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert (len(theirs), theirs.pad_token_id) == (tokenizer.vocabulary_size, 0)
    for text in _CAPTIONS:
        assert (
            theirs.encode(text)
            == tokenizer.encode([text], 20)[0].tolist()[: len(theirs.encode(text))]
        )


def test_order_of_captions_does_not_matter():
    ids = [Tokenizer.train(order).encode(_CAPTIONS, 8) for order in (_CAPTIONS, _CAPTIONS[::-1])]
    np.testing.assert_array_equal(*ids)


def test_missing_tokenizer_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="holds no tokenizer"):
        Tokenizer.load(tmp_path)


def test_words_that_come_first_are_known_however_rare_they_are():
    tokenizer = Tokenizer.train(_CAPTIONS, size=4, first=["zebra quagga"])
    assert tokenizer.unknown(["zebra quagga"]) == []
    assert tokenizer.unknown(_CAPTIONS)[0] == "a"


def test_a_grown_tokenizer_keeps_ids_and_learns_new_words_up_to_its_size():
    tokenizer = Tokenizer.train(_CAPTIONS)
    known = tokenizer.vocabulary_size
    new = ["a violet zebra", "a violet quagga", "violet"]
    grown = tokenizer.grown(new, known + 2)
    np.testing.assert_array_equal(grown.encode(_CAPTIONS, 9), tokenizer.encode(_CAPTIONS, 9))
    assert grown.encode(["violet quagga zebra"], 3).tolist() == [[known, known + 1, 1]]
    assert grown.unknown(new) == ["zebra"]
    assert tokenizer.unknown(new) == ["violet", "quagga", "zebra"]
    assert tokenizer.grown([], 2).vocabulary_size == known
