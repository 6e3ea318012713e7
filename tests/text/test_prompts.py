"""Cleaning and tokenizing, against what diffusers does to a prompt."""

import json

import numpy as np
import pytest
from diffusers.pipelines.wan import pipeline_wan_i2v

from painting_jax.errors import UserError
from painting_jax.text import prompts
from tests.text.wan_text import tokenizer

_MESSY = (
    "",
    "   ",
    "Painting process step by step.",
    "  two\n\nlines\tand \r\n tabs  ",
    "no\u00a0break, em\u2003space, ideographic\u3000space\u2028line\u2029paragraph\x85next",
    "file\x1cgroup\x1drecord\x1eunit\x1fend\x1c",
    "salt &amp; pepper, &amp;amp;lt;b&amp;amp;gt; &amp;quot;quoted&quot; &nbsp; &#8217;",
    "&lt;p&gt; caf\u00e9 \u6cb9\u753b \U0001f3a8",
    "zero\u200bwidth \ufeffmark",
)


def test_prompts_are_cleaned_as_diffusers_cleans_them():
    for text in _MESSY:
        assert prompts.clean(text) == pipeline_wan_i2v.prompt_clean(text), repr(text)


@pytest.mark.parametrize(
    ("prompt", "repaired"),
    [
        ("schÃ¶n", "schön"),
        ("\u201ccurly\u201d \u2018quotes\u2019", "\"curly\" 'quotes'"),
        ("\ufb01ne \uff37\uff49\uff44\uff45", "fine Wide"),
        ("a\x08b", "ab"),
    ],
)
def test_broken_text_is_repaired(prompt, repaired):
    assert prompts.clean(prompt) == repaired


def test_long_prompts_are_cut_before_the_end_mark():
    ids = prompts.encode(tokenizer(), "a cat " * 20, 8)
    assert ids.dtype == np.int32
    assert len(ids) == 8
    assert ids[-1] == 1
    np.testing.assert_array_equal(prompts.encode(tokenizer(), "", 8), [1])


def test_saved_tokenizer_is_loaded(tmp_path):
    tokenizer().save_pretrained(tmp_path)
    loaded = prompts.load_tokenizer(tmp_path)
    np.testing.assert_array_equal(
        prompts.encode(loaded, "a cat paints", 8), prompts.encode(tokenizer(), "a cat paints", 8)
    )


@pytest.mark.parametrize("damage", ["missing", "empty", "broken"])
def test_folder_without_a_tokenizer_is_a_user_error(tmp_path, damage):
    folder = tmp_path / "tokenizer"
    if damage != "missing":
        folder.mkdir()
    if damage == "broken":
        (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="tokenizer"):
        prompts.load_tokenizer(folder)


@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
def test_code_in_the_folder_is_neither_run_nor_asked_about(tmp_path, monkeypatch, file):
    mark = tmp_path / "mark"
    code = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nT = None\n"
    (tmp_path / "evil.py").write_text(code)
    classes = {"AutoTokenizer": ["evil.T", None], "AutoConfig": "evil.T"}
    content = {"auto_map": classes, "tokenizer_class": "T", "model_type": "T"}
    (tmp_path / file).write_text(json.dumps(content))
    asked = []
    monkeypatch.setattr("builtins.input", lambda *text: asked.append(text) or "y")
    with pytest.raises(UserError) as caught:
        prompts.load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)
    if file == "tokenizer_config.json":
        assert "code of its own, which is never run: name a folder" in str(caught.value)
    assert not asked
    assert not mark.exists()
