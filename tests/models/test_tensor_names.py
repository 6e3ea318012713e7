"""Tables read forwards and backwards."""

import numpy as np
import pytest

from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models import tensor_names as rules
from painting_jax.models.tensor_names import Rule, Slot
from painting_jax.models.wan import params as wan

THEIRS = {
    "transpose": (3, 5),
    "conv1d": (3, 4, 2),
    "conv2d": (3, 4, 2, 5),
    "conv3d": (3, 4, 2, 5, 6),
    "pointwise2d": (3, 4, 1, 1),
    "pointwise3d": (3, 4, 1, 1, 1),
    "scale2d": (3, 1, 1),
    "scale3d": (3, 1, 1, 1),
    "patches_1x2x2": (3, 4, 1, 2, 2),
    "first": (1, 6, 3),
    "token": (1, 1, 6),
    "same": (3, 4),
}


@pytest.mark.parametrize("name", rules.TRANSFORMS)
def test_each_transform_has_its_way_back(name):
    theirs = np.random.default_rng(0).normal(size=THEIRS[name])
    transform = rules.TRANSFORMS[name]
    np.testing.assert_array_equal(transform.theirs(transform.ours(theirs)), theirs)


@pytest.mark.parametrize("table", wan.RULES)
def test_a_table_read_backwards_and_forwards_is_where_it_began(table):
    spelled = rules.spellings(table)
    assert len(spelled) == 55
    for path, spelling in spelled.items():
        layer = 12 if "{layer}" in spelling.name else None
        rule, slot = rules.place(table, spelling.of(layer))
        assert slot == Slot(path, layer)
        assert rules.TRANSFORMS[rule.transform] is spelling.transform


_RULES = (
    Rule(r"layers\.(?P<layer>\d+)\.weight", "layers/kernel", "transpose"),
    Rule(r"(?P<prefix>|model\.)bias", "bias"),
    Rule("step", None),
)


def test_layer_is_read_from_the_name():
    rule, slot = rules.place(_RULES, "layers.12.weight")
    assert slot == Slot("layers/kernel", 12)
    assert rule.transform == "transpose"


def test_optional_prefix_is_no_layer():
    rule, slot = rules.place(_RULES, "model.bias")
    assert (rule, slot) == rules.place(_RULES, "bias")
    assert slot == Slot("bias", None)
    assert rule.transform == "same"


def test_whole_name_has_to_fit():
    assert rules.place(_RULES, "bias2") is None
    assert rules.place(_RULES, "x.layers.1.weight") is None


def test_what_is_passed_over_is_told_from_what_is_unknown():
    rule, slot = rules.place(_RULES, "step")
    assert rule.path is None
    assert slot is None


def test_alternations_stand_for_every_name():
    table = [
        Rule(r"(?P<prefix>|old\.)up\.(?P<layer>\d+)\.(?P<x>q|k\.a)\.weight", r"up/\g<x>/kernel"),
        Rule(r"up\.\d+\.unused", None),
    ]
    assert {path: name for path, (name, _) in rules.spellings(table).items()} == {
        "up/q/kernel": "up.{layer}.q.weight",
        "up/k.a/kernel": "up.{layer}.k.a.weight",
    }
    assert rules.place(table, "old.up.3.q.weight")[1] == Slot("up/q/kernel", 3)
    assert rules.place(table, "up.3.unused")[1] is None
    assert rules.place(table, "up.3.q.weights") is None


def test_what_is_known_and_not_needed_is_no_surprise():
    table = [Rule(r"(?P<prefix>|old\.)a", "a"), Rule("position_ids", None)]
    tensors = {name: Tensor("x", np.dtype("f4"), (3,), 0) for name in ("position_ids", "old.a")}
    assert len(match_tensors(Source("x", tensors, {}, {}), {"a": np.empty(3)}, [table])) == 1


def test_a_tensor_under_both_of_its_names_has_to_be_the_same(tmp_path):
    path = tmp_path / "tied"
    path.write_bytes(np.float32([1, 2, 1, 2, 1, 3]).tobytes())
    table = [Rule("shared", "a"), Rule("tied", "a")]

    def accounted(offset: int):
        tensors = {"shared": _at(0), "tied": _at(offset)}
        return match_tensors(Source("x", tensors, {}, {}), {"a": np.empty(2)}, [table])

    def _at(offset: int) -> Tensor:
        return Tensor(path, np.dtype("f4"), (2,), offset)

    assert [placement.tensor for placement in accounted(8)] == [_at(0)]
    with pytest.raises(UserError, match=r"1 held a second time with other numbers \(tied\)"):
        accounted(16)


def test_many_layers_are_one_name_in_a_message():
    table = [Rule(r"b\.(?P<layer>\d+)\.w", "b")]
    tensors = {f"b.{n}.w": Tensor("x", np.dtype("f4"), (3,), 0) for n in (0, 4, 5)}
    with pytest.raises(UserError, match=r"5 missing \(b\.\{1-3,6-7\}\.w\)"):
        match_tensors(Source("x", tensors, {}, {}), {"b": np.empty((8, 3))}, [table])


@pytest.mark.parametrize(
    ("name", "prefix", "bare"),
    [
        ("blocks.0.norm1.weight", "", "blocks.0.norm1.weight"),
        ("model.diffusion_model.blocks.0.x", "model.diffusion_model.", "blocks.0.x"),
        ("base_model.model.transformer.blocks.0", "base_model.model.transformer.", "blocks.0"),
        ("transformer_2.blocks.0", "transformer_2.", "blocks.0"),
        ("pipe.dit.blocks.0", "pipe.dit.", "blocks.0"),
        ("diffusion.model.blocks.0", "diffusion.model.", "blocks.0"),
        ("module._orig_mod.blocks.0", "module._orig_mod.", "blocks.0"),
        ("_fsdp_wrapped_module.blocks.0", "_fsdp_wrapped_module.", "blocks.0"),
        ("blocks.0._orig_mod.self_attn.q", "", "blocks.0.self_attn.q"),
        ("blocks.0._checkpoint_wrapped_module.x", "", "blocks.0.x"),
        ("base_model.model.blocks.0.q.base_layer.weight", "base_model.model.", "blocks.0.q.weight"),
        ("lora_unet__blocks_0_q", "lora_unet__", "blocks_0_q"),
        ("lora_unet_blocks.0.q", "lora_unet_", "blocks.0.q"),
        ("lycoris_blocks_0_q", "lycoris_", "blocks_0_q"),
        ("lora_transformer_blocks_0_q", "lora_transformer_", "blocks_0_q"),
        ("vision_model.x", "", "vision_model.x"),
        ("modelling.x", "", "modelling.x"),
        ("transformers.x", "", "transformers.x"),
    ],
)
def test_prefixes_of_programs_are_told_from_names(name, prefix, bare):
    assert rules.split_prefix(name) == (prefix, bare)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "_orig_mod.", "pipe.dit."])
@pytest.mark.parametrize("table", wan.RULES)
def test_a_name_with_a_prefix_has_the_place_of_the_name(table, prefix):
    for path, spelling in rules.spellings(table).items():
        layer = 3 if "{layer}" in spelling.name else None
        _, slot = rules.place(table, f"{prefix}{spelling.of(layer)}")
        assert slot == Slot(path, layer)


def test_very_long_names_take_no_time():
    for name in ("model." * 500_000 + "x", "blocks." + "_orig_mod." * 300_000, "x." * 1_000_000):
        assert rules.place(wan.DIFFUSERS, name) is None
