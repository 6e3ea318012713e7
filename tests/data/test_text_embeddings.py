"""Prompts to embeddings: diffusers' numbers, each prompt once, whatever happens to the cache."""

import pathlib
import types
import weakref

import jax
import numpy as np
import pytest
import torch
from diffusers import WanImageToVideoPipeline
from flax import nnx

from painting_jax.data.text_embeddings import TextEncoder, embed, fingerprint, pad
from painting_jax.errors import UserError
from painting_jax.models.umt5 import UMT5Config, UMT5Encoder
from painting_jax.weights.umt5 import TABLE
from tests.data.wan_text import WORDS, stand_in_for_ftfy, tokenizer
from tests.models.test_umt5 import reference
from tests.weights.filling import fill

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
        return self

    def __call__(self, prompt):
        self.asked.append(prompt)
        seed = int.from_bytes(prompt.encode()[:8].ljust(8), "little")
        return np.random.default_rng(seed).normal(size=(len(prompt), 3)).astype(np.float32)


def test_embeddings_equal_those_of_diffusers(encoder, reference_model, tmp_path, monkeypatch):
    stand_in_for_ftfy(monkeypatch)
    pipeline = types.SimpleNamespace(
        text_encoder=reference_model, tokenizer=tokenizer(), _execution_device=torch.device("cpu")
    )
    with torch.no_grad():
        expected = WanImageToVideoPipeline._get_t5_prompt_embeds(pipeline, list(_PROMPTS)).numpy()
    found = embed(_PROMPTS, cache=tmp_path, fingerprint="f", open_encoder=lambda: encoder)
    actual = pad([found[prompt] for prompt in _PROMPTS])
    assert [len(found[prompt]) for prompt in _PROMPTS] == [8, 1, 4, 512]
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


def test_each_distinct_prompt_is_computed_once(tmp_path):
    counting = Counting()
    arguments = {"cache": tmp_path / "new", "fingerprint": "f", "open_encoder": counting.open}
    first = embed(["oil", " oil ", "ink", "oil"], **arguments)
    assert (counting.opened, counting.asked) == (1, ["oil", "ink"])
    np.testing.assert_array_equal(first["oil"], first[" oil "])
    again = embed(["ink", "oil"], **arguments)
    assert counting.opened == 1
    np.testing.assert_array_equal(again["ink"], first["ink"])
    embed(["oil", "chalk"], **arguments)
    assert (counting.opened, counting.asked[2:]) == (2, ["chalk"])


def test_another_encoder_has_its_own_embeddings(tmp_path):
    counting = Counting()
    for encoder in ("one", "other", "one"):
        embed(["oil"], cache=tmp_path, fingerprint=encoder, open_encoder=counting.open)
    assert counting.opened == 2


def test_damaged_entry_is_computed_again(tmp_path):
    counting = Counting()
    arguments = {"cache": tmp_path, "fingerprint": "f", "open_encoder": counting.open}
    expected = embed(["oil"], **arguments)["oil"]
    (path,) = pathlib.Path(tmp_path).rglob("*.safetensors")
    intact = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [b"", intact[:5], intact[:-1], intact + b"\0", rng.bytes(len(intact))]
    for position in range(len(intact)):
        flipped = bytearray(intact)
        flipped[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for data in damaged:
        path.write_bytes(data)
        np.testing.assert_array_equal(embed(["oil"], **arguments)["oil"], expected)
    assert counting.opened > len(intact) // 2
    opened = counting.opened
    embed(["oil"], **arguments)
    assert counting.opened == opened, "what was computed again is kept"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_failing_encoder_leaves_what_was_computed(tmp_path):
    counting = Counting()

    def failing(prompt):
        if prompt == "ink":
            raise MemoryError
        return counting(prompt)

    with pytest.raises(MemoryError):
        embed(["oil", "ink"], cache=tmp_path, fingerprint="f", open_encoder=lambda: failing)
    embed(["oil", "ink"], cache=tmp_path, fingerprint="f", open_encoder=counting.open)
    assert counting.asked == ["oil", "ink"]


def test_encoder_is_freed(reference_model, tmp_path):
    parameters = []

    def open_encoder():
        model = fill(
            lambda: UMT5Encoder(_CONFIG, rngs=nnx.Rngs(0)), TABLE, reference_model.state_dict()
        )
        nnx.update(model, jax.tree.map(jax.numpy.asarray, nnx.state(model)))
        parameters.extend(weakref.ref(leaf) for leaf in jax.tree.leaves(nnx.state(model)))
        return TextEncoder(tokenizer(), model)

    embed(["a cat"], cache=tmp_path, fingerprint="f", open_encoder=open_encoder)
    assert len(parameters) == 12
    assert not any(parameter() is not None for parameter in parameters)


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
