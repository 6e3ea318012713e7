"""Text encoders as transformers saves them."""

import json

import pytest
import safetensors.numpy
from flax import nnx

from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.load import flat
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import place
from painting_jax.models.umt5 import params as umt5
from painting_jax.models.umt5.modeling import SIZES, UMT5Encoder
from tests.models.umt5.test_modeling import TINY, reference

_XXL = {
    "model_type": "umt5",
    "vocab_size": 256384,
    "d_model": 4096,
    "num_layers": 24,
    "num_heads": 64,
    "d_kv": 64,
    "d_ff": 10240,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "feed_forward_proj": "gated-gelu",
    "layer_norm_epsilon": 1e-6,
}


def test_saved_folder_has_the_sizes_and_every_tensor_a_place(tmp_path):
    reference(TINY).save_pretrained(tmp_path)
    assert umt5.config(json.loads((tmp_path / "config.json").read_text())) == TINY
    names = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert all(place(umt5.TABLE, name) for name in names)


def test_token_table_may_lie_there_under_both_names(tmp_path):
    reference(TINY).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    table = tensors.pop("shared.weight", None)
    table = tensors.pop("encoder.embed_tokens.weight", table)
    both = {"shared.weight": table, "encoder.embed_tokens.weight": table.copy()}
    safetensors.numpy.save_file(tensors | both, path)
    model = nnx.eval_shape(lambda: UMT5Encoder(TINY, rngs=nnx.Rngs(0)))
    targets = flat(nnx.to_pure_dict(nnx.state(model, nnx.Param)))
    placements = match_tensors(open_source(tmp_path), targets, [umt5.TABLE])
    assert len(placements) == len(tensors) + 1


def test_published_config_is_the_published_size():
    assert umt5.config(_XXL) == SIZES["umt5_xxl"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "t5"}, "of type 'umt5'"),
        ({"feed_forward_proj": "relu"}, "feed_forward_proj='relu': 'gated-gelu'"),
        ({"layer_norm_epsilon": 1e-5}, "layer_norm_epsilon=1e-05"),
    ],
)
def test_other_architectures_are_refused(change, said):
    with pytest.raises(UserError, match=said):
        umt5.config(_XXL | change)


def test_missing_size_is_named():
    with pytest.raises(UserError, match=r"no 'd_kv'"):
        umt5.config({key: value for key, value in _XXL.items() if key != "d_kv"})
