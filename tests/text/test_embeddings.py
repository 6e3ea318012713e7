"""Embeddings equal diffusers', and each prompt is computed once unless its entry is damaged."""

import contextlib
import errno
import os
import pathlib
import types

import jax
import numpy as np
import pytest
import torch
from diffusers import WanImageToVideoPipeline
from flax import nnx

from configs import wan21_t2v_1_3b
from painting_jax.checkpoints import random_folder
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError
from painting_jax.models.umt5.modeling import UMT5Config, UMT5Encoder
from painting_jax.models.umt5.params import TABLE
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.task import make_model
from painting_jax.text import embeddings
from painting_jax.text.embeddings import TextEncoder, embed_cached, fingerprint, pad
from painting_jax.text.tokenizer import Tokenizer
from tests.checkpoints.filling import fill
from tests.models.umt5.test_modeling import reference
from tests.text.wan_text import WORDS, tokenizer

_CONFIG = UMT5Config(vocabulary=len(WORDS), dim=8, layers=2, heads=3, head_dim=4, ffn_dim=12)
_PROMPTS = (
    "a cat paints slowly, in oil",
    "",
    "  a &amp;amp; cat\n",
    "a cat paints slowly in oil " * 100,
)


@pytest.fixture(scope="module")
def reference_model():
    return reference(_CONFIG)


@pytest.fixture
def encoder(reference_model) -> TextEncoder:
    def build():
        return UMT5Encoder(_CONFIG, rngs=nnx.Rngs(0))

    return TextEncoder(tokenizer(), fill(build, TABLE, reference_model.state_dict()))


class Counting:
    """Stands in for an encoder: remembers what it was asked."""

    def __init__(self):
        self.opened, self.asked = 0, []

    def open(self):
        self.opened += 1
        return contextlib.nullcontext(self)

    def __call__(self, prompt):
        self.asked.append(prompt)
        seed = int.from_bytes(prompt.encode()[:8].ljust(8), "little")
        return np.random.default_rng(seed).normal(size=(len(prompt), 3)).astype(np.float32)


def test_embeddings_equal_those_of_diffusers(encoder, reference_model, tmp_path):
    pipeline = types.SimpleNamespace(
        text_encoder=reference_model, tokenizer=tokenizer(), _execution_device=torch.device("cpu")
    )
    with torch.no_grad():
        expected = WanImageToVideoPipeline._get_t5_prompt_embeds(pipeline, list(_PROMPTS)).numpy()
    opened = contextlib.nullcontext(encoder)
    found = embed_cached(_PROMPTS, cache=tmp_path, fingerprint="f", open_encoder=lambda: opened)
    actual = pad([found[prompt] for prompt in _PROMPTS])
    assert [len(found[prompt]) for prompt in _PROMPTS] == [8, 1, 4, 512]
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


def test_each_distinct_prompt_is_computed_once(tmp_path):
    counting = Counting()
    arguments = {"cache": tmp_path / "new", "fingerprint": "f", "open_encoder": counting.open}
    first = embed_cached(["oil", " oil ", "ink", "oil"], **arguments)
    assert (counting.opened, counting.asked) == (1, ["oil", "ink"])
    np.testing.assert_array_equal(first["oil"], first[" oil "])
    again = embed_cached(["ink", "oil"], **arguments)
    assert counting.opened == 1
    np.testing.assert_array_equal(again["ink"], first["ink"])
    embed_cached(["oil", "chalk"], **arguments)
    assert (counting.opened, counting.asked[2:]) == (2, ["chalk"])


def test_another_encoder_has_its_own_embeddings(tmp_path):
    counting = Counting()
    for encoder in ("one", "other", "one"):
        embed_cached(["oil"], cache=tmp_path, fingerprint=encoder, open_encoder=counting.open)
    assert counting.opened == 2


def test_damaged_entries_are_computed_again(tmp_path):
    counting = Counting()
    arguments = {"cache": tmp_path, "fingerprint": "f", "open_encoder": counting.open}
    embed_cached(["oil"], **arguments)
    (path,) = pathlib.Path(tmp_path).rglob("*.safetensors")
    size = path.stat().st_size
    rng = np.random.default_rng(0)

    def flipped(position):
        return lambda data: (
            data[:position] + bytes([data[position] ^ 1 << rng.integers(8)]) + data[position + 1 :]
        )

    damages = [
        lambda data: b"",
        lambda data: data[:5],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: rng.bytes(len(data)),
        *(flipped(position) for position in range(size)),
    ]
    texts = [f"{number:03}" for number in range(len(damages))]
    expected = embed_cached(texts, **arguments)
    entries = [entry for entry in path.parent.iterdir() if entry != path]
    for entry, damage in zip(entries, damages, strict=True):
        entry.write_bytes(damage(entry.read_bytes()))
    counting.asked.clear()
    for text, embedding_LD in embed_cached(texts, **arguments).items():
        np.testing.assert_array_equal(embedding_LD, expected[text])
    # A few bytes, padding for one, change nothing.
    assert len(counting.asked) > 0.9 * len(texts)
    counting.asked.clear()
    embed_cached(texts, **arguments)
    assert not counting.asked, "what was computed again is kept"
    assert sorted(path.parent.iterdir()) == sorted([*entries, path])


@pytest.mark.parametrize("place", ["file", "file/below", "pipe"])
def test_a_cache_that_cannot_be_written_costs_a_warning_alone(tmp_path, capsys, place):
    (tmp_path / "file").write_text("in the way")
    os.mkfifo(tmp_path / "pipe")
    counting = Counting()
    arguments = {"cache": tmp_path / place, "fingerprint": "f", "open_encoder": counting.open}
    found = embed_cached(["oil", "ink", "chalk"], **arguments)
    assert set(found) == {"oil", "ink", "chalk"}
    said = capsys.readouterr().err
    assert said.startswith("warning: text embeddings are not kept for next time: ")
    assert said.count("\n") == 1, "it is said once"


def test_a_cache_that_can_only_be_read_is_read(tmp_path, capsys, monkeypatch):
    counting = Counting()
    arguments = {"cache": tmp_path, "fingerprint": "f", "open_encoder": counting.open}
    before = embed_cached(["oil"], **arguments)

    def refuse(*_):
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    # A user with all rights writes to folders that are write-protected.
    monkeypatch.setattr(embeddings, "_write", refuse)
    np.testing.assert_array_equal(embed_cached(["oil"], **arguments)["oil"], before["oil"])
    assert capsys.readouterr().err == ""
    embed_cached(["oil", "ink"], **arguments)
    assert "Read-only file system" in capsys.readouterr().err
    assert counting.asked == ["oil", "ink"]


def test_failing_encoder_leaves_what_was_computed(tmp_path):
    counting = Counting()

    def failing(prompt):
        if prompt == "ink":
            raise MemoryError
        return counting(prompt)

    opened = contextlib.nullcontext(failing)
    with pytest.raises(MemoryError):
        embed_cached(["oil", "ink"], cache=tmp_path, fingerprint="f", open_encoder=lambda: opened)
    embed_cached(["oil", "ink"], cache=tmp_path, fingerprint="f", open_encoder=counting.open)
    assert counting.asked == ["oil", "ink"]


def test_encoder_is_freed(tmp_path):
    config = wan21_t2v_1_3b.get_config("tiny")
    model = make_model(config).config
    random_folder.write(
        tmp_path, config.model.family, model, tokenizer=Tokenizer.train(["a"]), seed=0
    )
    before = {id(array) for array in jax.live_arrays()}
    embeddings.embed_prompts(
        Folder.open(str(tmp_path)),
        ["a cat"],
        mesh=make_mesh({}, jax.devices()[:1]),
        dtype="float32",
        cache=tmp_path / "cache",
    )
    assert [array for array in jax.live_arrays() if id(array) not in before] == []


def test_tokenizer_of_another_model_is_refused():
    config = UMT5Config(vocabulary=5, dim=8, layers=1, heads=1, head_dim=4, ffn_dim=4)
    model = nnx.eval_shape(lambda: UMT5Encoder(config, rngs=nnx.Rngs(0)))
    with pytest.raises(UserError, match="do not belong together"):
        TextEncoder(tokenizer(), model)


def test_fingerprint_tells_encoders_and_settings_apart_but_not_copies(tmp_path):
    data = np.random.default_rng(0).bytes(1 << 20)
    for name, content in {"one": data, "copy": data, "trained": bytes(1 << 20)}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
        (tmp_path / name / "config.json").write_text("{}")
    one = fingerprint([tmp_path / "one"], dtype="float32")
    assert one == fingerprint([tmp_path / "copy"], dtype="float32")
    assert one != fingerprint([tmp_path / "trained"], dtype="float32")
    assert one != fingerprint([tmp_path / "one"], dtype="bfloat16")
    (tmp_path / "copy" / "config.json").write_text("{ }")
    assert one != fingerprint([tmp_path / "copy"], dtype="float32")


def test_padding_is_zero():
    padded = pad([np.ones((2, 3), np.float32), np.ones((0, 3), np.float32)], 4)
    np.testing.assert_array_equal(padded[:, :, 0], [[1, 1, 0, 0], [0, 0, 0, 0]])
    assert pad([np.ones((1, 3), np.float32)]).shape == (1, 512, 3)
