"""LoRA files of every dialect give diffusers' numbers, and so do the files written here."""

import dataclasses
import json
import re
import time

import jax
import numpy as np
import pytest
import torch
from flax import nnx
from safetensors.torch import load_file, save_file

from painting_jax.checkpoints import lora_changes, lora_keys
from painting_jax.checkpoints import lora_files as lora
from painting_jax.checkpoints.adapters import apply, parse, read
from painting_jax.checkpoints.components import Loaded
from painting_jax.checkpoints.load import flat
from painting_jax.errors import UserError
from painting_jax.models import lora as adapters
from tests import tiny_lora
from tests.models.wan.test_transformer import copy_weights, reference

DOWN_UP = ("lora_down", "lora_up")
FFN_RANKS = {"ffn.net.0.proj": 5, "ffn.net.2": 5}
ANCHORED = {"^blocks.0.attn1.to_q": 2, r"^blocks\.1\..*": 9, "q|to_k": 1, "to_v|attn1.to_out.0": 12}


def _settings(alpha_pattern: dict[str, int]) -> dict:
    """PEFT's."""
    return {
        "r": 3,
        "lora_alpha": 6,
        "rank_pattern": FFN_RANKS,
        "alpha_pattern": alpha_pattern,
        "target_modules": list(tiny_lora.NAMES),
    }


# What diffusers reads itself: keys, names of the parts, alpha, settings in the header.
DIALECTS = {
    "diffusers": (tiny_lora.DIFFUSERS, ("lora_A", "lora_B"), None, None),
    "diffusers_with_settings": (
        tiny_lora.DIFFUSERS,
        ("lora_A", "lora_B"),
        None,
        _settings({"ffn.net.2": 2}),
    ),
    "diffusers_with_anchored_patterns": (
        tiny_lora.DIFFUSERS,
        ("lora_A", "lora_B"),
        None,
        _settings(ANCHORED),
    ),
    "comfyui": (tiny_lora.COMFYUI, DOWN_UP, 1.5, None),
    "comfyui_without_alpha": (tiny_lora.COMFYUI, ("lora_A", "lora_B"), None, None),
    "musubi": (tiny_lora.MUSUBI, DOWN_UP, 1.5, None),
}
# What it does not, though others write it: the same layers by keys that it does read are the truth.
FOREIGN = {
    "default_infix": (tiny_lora.DIFFUSERS, ("lora_A.default", "lora_B.default")),
    "diffsynth": (tiny_lora.DIFFSYNTH, ("lora_A.default", "lora_B.default")),
    "peft": ("base_model.model.blocks.{block}.{theirs}", ("lora_A", "lora_B")),
    "musubi_without_alpha": (tiny_lora.MUSUBI, DOWN_UP),
    "fun": ("lora_unet__blocks_{block}_{flat}", DOWN_UP),
    "kohya_with_points": ("lora_unet_blocks.{block}.{original}", DOWN_UP),
    "lora_dit": ("lora_dit_blocks_{block}_{flat}", DOWN_UP),
    "onetrainer": ("lora_transformer_blocks_{block}_{flat_theirs}", DOWN_UP),
    "lycoris": ("lycoris_blocks_{block}_{flat_theirs}", DOWN_UP),
    "diffsynth_with_prefix": ("pipe.dit.blocks.{block}.{original}", ("lora_A", "lora_B")),
    "split_prefix": ("diffusion.model.blocks.{block}.{original}", ("lora_A", "lora_B")),
    "compiled": ("_orig_mod.blocks.{block}.{original}", ("lora_A", "lora_B")),
    "compiled_inside": ("blocks.{block}._orig_mod.{original}", ("lora_A", "lora_B")),
    "distributed": ("module.transformer.blocks.{block}.{theirs}", ("lora_A", "lora_B")),
    "checkpoint_prefix": ("model.diffusion_model.blocks.{block}.{original}", DOWN_UP),
    "linear_layer": (
        "unet.blocks.{block}.{theirs}",
        ("lora_linear_layer.down", "lora_linear_layer.up"),
    ),
}


class Models:
    """The same transformer here and in diffusers."""

    def __init__(self):
        self.theirs = reference(tiny_lora.CONFIG)
        model = copy_weights(self.theirs, tiny_lora.CONFIG)
        self.shapes = adapters.kernels(model)
        graph, state = nnx.split(model)
        self.graph, self.params = graph, nnx.to_pure_dict(state)
        layers = tuple(f"{path}/" for path in self.shapes)
        self.others = {
            path: leaf.shape
            for path, leaf in flat(self.params).items()
            if not path.startswith(layers)
        }
        inputs = tiny_lora.inputs()

        @jax.jit
        def forward(params):
            state = nnx.split(model)[1]
            nnx.replace_by_pure_dict(state, params)
            return nnx.merge(graph, state)(**inputs)

        self.forward = forward

    def read(self, path: str) -> adapters.Lora:
        return lora.read(path, self.shapes).factors

    def merged(self, weighted: list[tuple[str, float]]) -> np.ndarray:
        return self.forward(self.with_loras(weighted))

    def with_loras(self, weighted: list[tuple[str, float]]) -> dict:
        """The parameters with LoRAs merged into them."""
        files = [(lora.read(path, self.shapes, self.others), weight) for path, weight in weighted]
        changes = [(file.changes, weight) for file, weight in files]
        factors = [(file.factors, weight) for file, weight in files]
        branches = adapters.combine(factors, self.shapes)
        return adapters.merge(lora_changes.add(self.params, changes), branches)

    def expected(self, weighted: list[tuple[str, float]]) -> np.ndarray:
        with torch.no_grad():
            transformer = tiny_lora.with_loras(self.theirs, weighted)
            return tiny_lora.reference_forward(transformer).numpy()


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


def assert_equal(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def write(folder, dialect: str, seed: int = 1) -> str:
    key, parts, alpha, settings = DIALECTS[dialect]
    path = folder / f"{dialect}{seed}.safetensors"
    factors = tiny_lora.pairs(seed)
    return tiny_lora.write(path, factors, key, parts, alpha, settings=settings)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_gives_diffusers_numbers(models, tmp_path, dialect):
    path = write(tmp_path, dialect)
    assert_equal(models.merged([(path, 1.0)]), models.expected([(path, 1.0)]))


@pytest.mark.parametrize("start", ["^", "^transformer.", "^base_model.model.transformer.", ""])
def test_patterns_of_alphas_may_carry_the_prefixes_of_the_keys(models, start):
    layer = "blocks.0.attn1.to_q"
    key = f"base_model.model.transformer.{layer}.lora_"
    tensors = {f"{key}A.weight": np.ones((2, 24)), f"{key}B.weight": np.ones((24, 2))}
    settings = {"lora_alpha": 2, "alpha_pattern": {start + layer: 6}}
    (factors,) = lora.parse("x", tensors, models.shapes, settings).factors.values()
    assert factors.scale == 3


def test_two_loras_of_different_dialects_give_the_numbers_of_set_adapters(models, tmp_path):
    weighted = [(write(tmp_path, "comfyui"), 0.7), (write(tmp_path, "diffusers", 2), -0.4)]
    assert_equal(models.merged(weighted), models.expected(weighted))


@pytest.mark.parametrize("dialect", FOREIGN)
def test_dialects_that_diffusers_does_not_read_are_the_same_lora(models, tmp_path, dialect):
    key, parts = FOREIGN[dialect]
    path = tiny_lora.write(tmp_path / "x.safetensors", tiny_lora.pairs(1), key, parts)
    known = models.read(write(tmp_path, "diffusers"))
    assert_same(models.read(path), known)


def assert_same(some: adapters.Lora, other: adapters.Lora):
    assert some.keys() == other.keys()
    for target, factors in some.items():
        change = factors.scale * factors.a_IR @ factors.b_RO
        same = other[target].scale * other[target].a_IR @ other[target].b_RO
        np.testing.assert_allclose(change, same, atol=1e-6)


def test_biases_and_whole_matrices_count_and_what_is_no_linear_layer_is_told(models, tmp_path):
    """As in the LoRAs that distil Wan to a few steps."""
    torch.manual_seed(3)
    outputs = 4 * tiny_lora.CONFIG.out_channels
    extra = {
        f"diffusion_model.blocks.{block}.{original}.diff_b": torch.randn(width)
        for block in range(tiny_lora.CONFIG.layers)
        for original, _, width in tiny_lora.NAMES.values()
    } | {
        "diffusion_model.head.head.diff": 0.3 * torch.randn(outputs, tiny_lora.CONFIG.dim),
        "diffusion_model.head.head.diff_b": torch.randn(outputs),
        "diffusion_model.blocks.0.audio.diff": torch.zeros(tiny_lora.CONFIG.dim),
    }
    path = tiny_lora.write(
        tmp_path / "x.safetensors", tiny_lora.pairs(1), tiny_lora.COMFYUI, extra=extra
    )
    assert_equal(models.merged([(path, 0.5)]), models.expected([(path, 0.5)]))
    read = lora.read(path, models.shapes)
    assert read.unused == ("diffusion_model.blocks.0.audio.diff",)
    assert str(read).endswith("; 1 keys unused: diffusion_model.blocks.0.audio.diff")
    assert str(read).startswith("24 matrices of rank 3, 5, 1 whole matrices, 25 biases in 2 blocks")


def test_beside_the_layers_a_lora_gives_the_numbers_of_one_that_is_merged(models, tmp_path):
    """All but products of two factors is added to the parameters in either case."""
    torch.manual_seed(6)
    block = "diffusion_model.blocks.0"
    extra = {
        f"{block}.self_attn.q.lokr_w1": torch.randn(4, 6),
        f"{block}.self_attn.q.lokr_w2": torch.randn(6, 4),
        f"{block}.self_attn.q.diff_b": torch.randn(24),
        f"{block}.norm3.diff": torch.randn(24),
        f"{block}.diff_m": torch.randn(1, 6, 24),
        f"{block}.ffn.0.diff_b": torch.randn(32),
    }
    pairs = {key: pair for key, pair in tiny_lora.pairs(1).items() if key != (0, "attn1.to_q")}
    path = tiny_lora.write(tmp_path / "x.safetensors", pairs, tiny_lora.COMFYUI, extra=extra)
    specs = parse([f"{path}:0.6"])
    files = read(specs, models.shapes, models.others)
    given = Loaded(models.graph, models.params)
    beside = apply(given, specs, files, models.shapes, merge=False).model()
    actual = nnx.jit(lambda model: model(**tiny_lora.inputs()))(beside)
    assert_equal(actual, models.merged([(path, 0.6)]))


def test_a_lora_on_the_patches_is_that_of_the_convolution(models, tmp_path):
    torch.manual_seed(4)
    key = "transformer.patch_embedding.lora_"
    down, up = torch.randn(2, 4, 1, 2, 2), torch.randn(24, 2, 1, 1, 1)
    extra = {f"{key}A.weight": down, f"{key}B.weight": up}
    path = tiny_lora.write(tmp_path / "x.safetensors", {}, "", extra=extra)
    assert_equal(models.merged([(path, 1.0)]), models.expected([(path, 1.0)]))
    lora.write(tmp_path / "y.safetensors", models.read(path), "diffusers")
    for name, tensor in load_file(tmp_path / "y.safetensors").items():
        torch.testing.assert_close(tensor, extra[name])


@pytest.mark.parametrize("dialect", ["diffusers", "comfyui"])
def test_what_is_written_gives_diffusers_the_numbers_of_what_was_read(models, tmp_path, dialect):
    source = write(tmp_path, "comfyui")
    lora.write(tmp_path / "out.safetensors", models.read(source), dialect)
    again = str(tmp_path / "out.safetensors")
    assert_equal(models.expected([(again, 0.8)]), models.expected([(source, 0.8)]))
    assert_same(models.read(again), models.read(source))


@pytest.mark.parametrize("alpha", [0.01, 7.0])
def test_what_is_written_for_comfyui_outside_of_blocks_is_read_by_diffusers(
    models, tmp_path, alpha
):
    """Which knows no alphas there."""
    torch.manual_seed(5)
    sizes = {"proj_out": (24, 16), "condition_embedder.time_proj": (24, 144)} | {
        f"condition_embedder.{name}": sizes
        for name, sizes in {
            "image_embedder.ff.net.0.proj": (8, 8),
            "image_embedder.ff.net.2": (8, 24),
            "text_embedder.linear_1": (16, 24),
            "time_embedder.linear_2": (24, 24),
        }.items()
    }
    extra = {
        f"transformer.{name}.lora_{part}.weight": torch.randn(shape)
        for name, (inputs, outputs) in sizes.items()
        for part, shape in {"A": (3, inputs), "B": (outputs, 3)}.items()
    }
    settings = {
        "r": 3,
        "lora_alpha": alpha,
        "rank_pattern": FFN_RANKS
        | {"image_embedder.ff.net.0.proj": 3, "image_embedder.ff.net.2": 3},
        "target_modules": [*tiny_lora.NAMES, *sizes],
    }
    source = tiny_lora.write(
        tmp_path / "x.safetensors",
        tiny_lora.pairs(1),
        tiny_lora.DIFFUSERS,
        extra=extra,
        settings=settings,
    )
    again = str(tmp_path / "out.safetensors")
    lora.write(again, models.read(source), "comfyui")
    assert not any(name.endswith("alpha") for name in load_file(again))
    assert_same(models.read(again), models.read(source))
    assert_equal(models.expected([(again, 1.0)]), models.merged([(source, 1.0)]))


@pytest.mark.parametrize("dialect", ["diffusers", "comfyui"])
def test_a_small_scale_makes_no_number_too_small_for_float16(models, tmp_path, dialect):
    key, up = "blocks.0.attn1.to_q", np.full((24, 1), 1e-3, np.float16)
    tensors = {f"{key}.lora_A.weight": np.ones((1, 24)), f"{key}.lora_B.weight": up}
    tensors[f"{key}.alpha"] = np.float32(2**-8)
    given = lora.parse("x", tensors, models.shapes).factors
    lora.write(tmp_path / "x.safetensors", given, dialect, np.float16)
    (again,) = models.read(tmp_path / "x.safetensors").values()
    expected = 2.0**-8 * up.astype(np.float32).T.repeat(24, 0)
    np.testing.assert_array_equal(again.a_IR @ again.b_RO, expected)


def test_a_lora_itself_tells_the_shapes_of_its_layers(models, tmp_path):
    extra = {"diffusion_model.head.head.diff": torch.zeros(16, 24), "x": torch.zeros(1)}
    for key, parts in ((tiny_lora.COMFYUI, ("lora_A", "lora_B")), (tiny_lora.MUSUBI, DOWN_UP)):
        path = tiny_lora.write(
            tmp_path / "x.safetensors", tiny_lora.pairs(1), key, parts, extra=extra
        )
        shapes = lora.own_shapes(load_file(path))
        assert len(shapes) == 13
        assert shapes.items() <= models.shapes.items()
        assert lora_keys.is_lora(load_file(path))
    assert not lora_keys.is_lora(models.theirs.state_dict())


def test_a_bias_alone_is_written_without_matrices_or_with_zeros(models):
    factors = adapters.Factors(np.zeros((24, 0)), np.zeros((0, 32)), 1.0, np.ones(32))
    written = {adapters.Target("blocks/ffn/proj_in", 1): factors}
    assert lora.tensors_of(written, "comfyui").keys() == {"diffusion_model.blocks.1.ffn.0.diff_b"}
    for tensors in (lora.tensors_of(written, dialect) for dialect in ("diffusers", "comfyui")):
        (read,) = lora.parse("x", tensors, models.shapes).factors.values()
        assert not read.a_IR.any()
        np.testing.assert_array_equal(read.bias_O, np.ones(32))


def test_what_is_written_may_be_bf16(models, tmp_path):
    lora.write(
        tmp_path / "x.safetensors",
        models.read(write(tmp_path, "diffusers")),
        "comfyui",
        dtype=jax.numpy.bfloat16,
    )
    assert {x.dtype for x in load_file(tmp_path / "x.safetensors").values()} == {torch.bfloat16}
    assert len(models.read(str(tmp_path / "x.safetensors"))) == 24


def test_what_it_changes_is_told_in_a_line(models, tmp_path):
    read = lora.read(write(tmp_path, "diffusers"), models.shapes)
    assert str(read).startswith(
        "24 matrices of rank 3, 5 in 2 blocks, scaled by 1 (no alpha): attn1/to_k, attn1/to_out, "
    )


def refused(models, tmp_path, match: str, tensors: dict[str, np.ndarray]):
    with pytest.raises(UserError, match=match) as raised:
        lora.parse("some.safetensors", tensors, models.shapes)
    assert "\n" not in str(raised.value)


def test_a_lora_that_fits_nothing_is_refused_with_the_first_keys_of_both_sides(models, tmp_path):
    key = "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight"
    refused(
        models,
        tmp_path,
        re.escape(key) + r".*the model's layers are blocks\.0\.attn1",
        {key: np.ones((2, 24))},
    )


BLOCK = "transformer.blocks.{}.attn1.to_q."


@pytest.mark.parametrize(
    ("match", "block", "parts"),
    [
        ("is 32x24, in the model 24x24", 0, {"lora_A.weight": (2, 32), "lora_B.weight": (24, 2)}),
        ("beyond the 2 blocks", 2, {"lora_A.weight": (2, 24), "lora_B.weight": (24, 2)}),
        ("lora_A without the other", 0, {"lora_A.weight": (2, 24)}),
        ("lora_A of rank 2, lora_B of", 0, {"lora_A.weight": (2, 24), "lora_B.weight": (24, 3)}),
        ("lora_A without the other", 0, {"lora_A.weight": (2, 24), "dora_scale": (24,)}),
        ("has alpha and no matrices", 0, {"alpha": ()}),
        ("lacks hada_w1_b and hada_w2_a and hada_w2_b", 0, {"hada_w1_a": (24, 2)}),
        ("lacks lokr_w2_a and lokr_w2_b", 0, {"lokr_w1": (2, 2)}),
        ("has lokr_w1 and its factors", 0, {"lokr_w1": (2, 2), "lokr_w1_a": (2, 2)}),
        ("is 24x26, in the model 24x24", 0, {"lokr_w1": (2, 2), "lokr_w2": (13, 12)}),
        (
            r"factors of shapes \[24, 2\] and \[3, 24\]",
            0,
            {
                "hada_w1_a": (24, 2),
                "hada_w1_b": (3, 24),
                "hada_w2_a": (24, 2),
                "hada_w2_b": (2, 24),
            },
        ),
        (
            r"lengths of shape \[23\], in the model 24 outputs and 24 inputs",
            0,
            {"lora_A": (2, 24), "lora_B": (24, 2), "dora_scale": (23,)},
        ),
        ("has a difference of no axes|has diff of shape", 0, {"diff": ()}),
        ("of another kind, by its key .*oft_blocks", 0, {"oft_blocks": (2, 2)}),
        ("of another kind, by its key .*a1.weight", 0, {"a1.weight": (2, 2)}),
        ("of another kind, by its key .*set_weight", 0, {"set_weight": (24, 24)}),
    ],
)
def test_a_lora_of_another_model_or_kind_is_refused(models, tmp_path, match, block, parts):
    tensors = {BLOCK.format(block) + part: np.ones(shape) for part, shape in parts.items()}
    refused(models, tmp_path, match, tensors)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_lora_that_holds_no_numbers_is_refused(models, tmp_path, wrong):
    first, second = (BLOCK.format(0) + f"lora_{side}.weight" for side in "AB")
    tensors = {first: np.ones((2, 24)), second: np.full((24, 2), wrong)}
    refused(models, tmp_path, f"is damaged: {re.escape(second)} holds NaN or infinity", tensors)


Q = "blocks.0.attn1.to_q.lora_"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"transformer.{Q}A.weight", f"diffusion_model.{Q}A.weight"),
        (f"{Q}B.weight", "lora_unet_blocks_0_self_attn_q.lora_up.weight"),
        (f"{Q}A.default.weight", f"{Q}A.other.weight"),
        (f"{Q}A.weight", "diffusion_model.blocks.0.self_attn.q.diff"),
        ("diffusion_model.blocks.0.self_attn.q.diff", f"{Q}B.weight"),
        (f"{Q}B.bias", "diffusion_model.blocks.0.self_attn.q.diff_b"),
        (f"{Q}A.weight", "diffusion_model.blocks.0.self_attn.q.lokr_w1"),
        ("lycoris_blocks_0_attn1_to_q.hada_w1_a", "blocks.0.attn1.to_q.lokr_w1"),
        ("blocks.0.attn1.to_q.diff", "blocks.0.attn1.to_q.hada_w1_a"),
    ],
)
def test_a_layer_that_is_told_twice_is_refused_with_both_keys(models, tmp_path, one, other):
    said = re.escape(f"by its keys {one} and {other}: leave one of them out")
    refused(models, tmp_path, said, {one: np.ones((2, 24)), other: np.ones((2, 24))})


@pytest.mark.parametrize("layer", ["blocks.0.attn1.to_q", "blocks.1.ffn.net.2"])
def test_a_lora_for_two_transformers_is_refused_even_where_they_share_no_layer(
    models, tmp_path, layer
):
    first, second = f"transformer.{Q}A.weight", f"transformer_2.{layer}.lora_A.weight"
    said = rf"{first} and {second}: write a file for each, .* --lora and .* --lora_2"
    refused(models, tmp_path, said, {first: np.ones((2, 24)), second: np.ones((2, 24))})


def test_a_lora_for_the_second_transformer_alone_is_read(models):
    keys = f"transformer_2.{Q}A.weight", f"transformer_2.{Q}B.weight"
    tensors = dict(zip(keys, (np.ones((2, 24)), np.ones((24, 2))), strict=True))
    assert len(lora.parse("x", tensors, models.shapes).factors) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[1]", "not a JSON object"),
        ('"x"', "not a JSON object"),
        ("5", "not a JSON object"),
        ("{", "Expecting property name"),
        ("[" * 100_000, "nested more than 64 deep"),
        ('{"lora_alpha": "x"}', "the alpha or rank of 'lora_alpha' is not a number"),
        ('{"lora_alpha": NaN}', "the alpha or rank of 'lora_alpha' is not a number"),
        ('{"lora_alpha": 1, "r": "x"}', "the alpha or rank of 'r' is not a number"),
        (
            '{"lora_alpha": 1' + 400 * "0" + "}",
            "the alpha or rank of 'lora_alpha' is not a number",
        ),
        (
            '{"lora_alpha": 1, "alpha_pattern": {"to_q": "x"}}',
            "the alpha or rank of 'to_q' is not a number",
        ),
        ('{"lora_alpha": 1, "alpha_pattern": ["a"]}', "alpha_pattern is not a JSON object"),
        ('{"lora_alpha": 1, "rank_pattern": ["a"]}', "rank_pattern is not a JSON object"),
        ('{"lora_alpha": 1, "alpha_pattern": {"(": 1}}', "not a regular expression: missing )"),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("where", ["in the header", "beside"])
def test_damaged_settings_are_said_in_a_line(models, tmp_path, settings, said, where):
    tensors = {f"{Q}A.weight": torch.ones(2, 24), f"{Q}B.weight": torch.ones(24, 2)}
    header = {"lora_adapter_metadata": settings} if where == "in the header" else None
    save_file(tensors, tmp_path / "adapter_model.safetensors", metadata=header)
    if where == "beside":
        (tmp_path / "adapter_config.json").write_text(settings)
    with pytest.raises(UserError) as raised:
        lora.read(tmp_path, models.shapes)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def ones(tmp_path, name: str, rank: int = 2, header: dict | None = None) -> str:
    """A LoRA of ones on one layer."""
    path = tmp_path / name
    tensors = {f"{Q}A.weight": torch.ones(rank, 24), f"{Q}B.weight": torch.ones(24, rank)}
    metadata = header and {"lora_adapter_metadata": json.dumps(header)}
    save_file(tensors, path, metadata=metadata)
    return str(path)


def scale_of(read: lora.LoraFile) -> float:
    [factors] = read.factors.values()
    return factors.scale


@pytest.mark.parametrize(
    ("name", "config", "scale", "said"),
    [
        ("adapter_model.safetensors", {"r": 8, "lora_alpha": 1}, 0.5, "adapter_config.json beside"),
        ("style.safetensors", {"r": 2, "lora_alpha": 1}, 0.5, "scaled by 0.5 (adapter_config.json"),
        (
            "style.safetensors",
            {"r": 8, "lora_alpha": 1},
            1,
            "config.json beside it is not used, as",
        ),
        ("style.safetensors", {"lora_alpha": 1}, 1, "beside it is not used, as it does not state"),
        (
            "style.safetensors",
            {"r": 8, "rank_pattern": {"to_q": 2}, "lora_alpha": 1},
            0.5,
            "scaled by 0.5",
        ),
        ("style.safetensors", {"r": 2, "lora_alpha": "x"}, 1, "beside it is not used"),
        ("style.safetensors", [1], 1, "beside it is not used"),
        ("style.safetensors", None, 1, "beside it is not used"),
    ],
)
def test_a_config_beside_counts_for_the_file_it_is_of(models, tmp_path, name, config, scale, said):
    text = "{" if config is None else json.dumps(config)
    (tmp_path / "adapter_config.json").write_text(text)
    read = lora.read(ones(tmp_path, name), models.shapes)
    assert scale_of(read) == scale
    assert said in str(read)


def test_a_config_in_the_header_counts_before_one_beside(models, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 1}))
    path = ones(tmp_path, "adapter_model.safetensors", header={"transformer.lora_alpha": 4})
    read = lora.read(path, models.shapes)
    assert scale_of(read) == 2
    assert "scaled by 2 (lora_adapter_metadata in its header)" in str(read)


@pytest.mark.parametrize(
    ("prefix", "scale"),
    [("transformer.", 2), ("", 2), ("diffusion_model.", 2), ("transformer_2.", 5)],
)
def test_of_the_settings_of_two_experts_its_own_count(models, prefix, scale):
    tensors = {f"{prefix}{Q}A.weight": np.ones((2, 24)), f"{prefix}{Q}B.weight": np.ones((24, 2))}
    both = {"transformer.lora_alpha": 4, "transformer_2.lora_alpha": 10}
    for settings in (both, dict(reversed(both.items()))):
        assert scale_of(lora.parse("x", tensors, models.shapes, settings)) == scale


@pytest.mark.parametrize("prefix", ["transformer.", "transformer_2."])
def test_the_settings_of_one_expert_serve_the_file(models, prefix):
    tensors = {f"{Q}A.weight": np.ones((2, 24)), f"{Q}B.weight": np.ones((24, 2))}
    settings = {f"{prefix}lora_alpha": 4}
    assert scale_of(lora.parse("x", tensors, models.shapes, settings)) == 2


def test_several_scales_are_told_from_the_least_to_the_most(models, tmp_path):
    path = write(tmp_path, "musubi")
    said = str(lora.read(path, models.shapes))
    assert "scaled by 0.3 to 0.5 (alphas in the file): attn1/to_k" in said


SLOW = [
    "([a-z0-9._]+)+X",
    "(?:a|a)*X",
    "(.*)*X",
    "(a+)+$",
    "(?=a)X",
    r"(.)\1X",
    ".*.*.*.*X",
    "(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)X",
    "((.|.|.)(.|.|.)(.|.|.)(.|.|.)(.|.|.))X",
    "a?" * 40 + "a" * 40,
    "(x{1,9}){1,9}X",
    "a" * 501,
]


@pytest.mark.parametrize("pattern", SLOW, ids=range(len(SLOW)))
def test_a_pattern_that_could_match_for_ever_is_refused_at_once(models, pattern):
    tensors = {f"{Q}A.weight": np.ones((2, 24)), f"{Q}B.weight": np.ones((24, 2))}
    settings = {"lora_alpha": 4, "alpha_pattern": {pattern: 2}}
    begun = time.monotonic()
    with pytest.raises(UserError, match="may take for ever to match: patterns may hold") as raised:
        lora.parse("x", tensors, models.shapes, settings)
    assert time.monotonic() - begun < 1
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "pattern",
    [
        "blocks.0.attn1.to_q",
        r"^blocks\.[0-9]+\.attn1\..*",
        r"blocks\.(0|1|2|3|4|5|6|7|8|9|10|11|12)\.attn1\.(?:to_q|to_k)",
        "to_q|to_k|to_v|to_out.0",
        r".*[.]to_q$",
        r"attn[^]]\.to_q",
    ],
)
def test_patterns_as_people_write_them_match(models, pattern):
    tensors = {f"{Q}A.weight": np.ones((2, 24)), f"{Q}B.weight": np.ones((24, 2))}
    settings = {"lora_alpha": 4, "alpha_pattern": {"to_k": 8, pattern: 6}}
    assert scale_of(lora.parse("x", tensors, models.shapes, settings)) == 3


def test_patterns_without_end_are_cut_off(models, monkeypatch):
    monkeypatch.setattr("painting_jax.checkpoints.lora_config._MATCHING_SECONDS", 0.0)
    tensors = {f"{Q}A.weight": np.ones((2, 24)), f"{Q}B.weight": np.ones((24, 2))}
    patterns = {f".*x.*{i}": 2 for i in range(20)}
    with pytest.raises(UserError, match="its 20 patterns take too long to match"):
        lora.parse("x", tensors, models.shapes, {"lora_alpha": 4, "alpha_pattern": patterns})


def test_a_long_prefix_takes_no_time(models):
    prefix = "model." * 150
    tensors = {f"{prefix}{Q}A.weight": np.ones((2, 24)), f"{prefix}{Q}B.weight": np.ones((24, 2))}
    settings = {"lora_alpha": 4, "alpha_pattern": {".*.*X": 2}}
    begun = time.monotonic()
    assert scale_of(lora.parse("x", tensors, models.shapes, settings)) == 2
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("prefix", ["model." * 300, "x" * 5000, "x." * 2_000_000])
def test_keys_of_any_length_name_no_layer_at_once(models, tmp_path, prefix):
    begun = time.monotonic()
    refused(models, tmp_path, "fits no layer", {f"{prefix}{Q}A.weight": np.ones((2, 24))})
    assert time.monotonic() - begun < 2


DAMAGED = [
    ("has matrices of rank 0", {"A": (0, 24), "B": (24, 0)}),
    (r"has lora_A of shape \[\]", {"A": ()}),
    (r"has lora_A of shape \[24\]", {"A": (24,)}),
    (r"has lora_A of shape \[2, 24, 1\]", {"A": (2, 24, 1)}),
    (r"has lora_B of shape \[\]", {"B": ()}),
    (r"has lora_B of shape \[24\]", {"B": (24,)}),
    (r"has lora_B of shape \[24, 2, 2\]", {"B": (24, 2, 2)}),
    (r"has lora_B.bias of shape \[\]", {"B.bias": ()}),
    (r"has alpha of shape \[3\]", {"alpha": (3,)}),
    (r"has diff_b of shape \[\]", {"diff_b": ()}),
    (r"has diff of shape \[24\]", {"A": None, "B": None, "diff": (24,)}),
]


@pytest.mark.parametrize(("said", "parts"), DAMAGED)
def test_matrices_that_are_none_are_said_in_a_line(models, tmp_path, said, parts):
    given = {"A": (2, 24), "B": (24, 2)} | parts
    tensors = {
        f"blocks.0.attn1.to_q.{'lora_' if part[0] in 'AB' else ''}{part}": np.ones(shape)
        for part, shape in given.items()
        if shape is not None
    }
    settings = {"lora_alpha": 4}
    for shapes in (models.shapes, lora.own_shapes(tensors)):
        with pytest.raises(UserError, match=said) as raised:
            lora.parse("some.safetensors", tensors, shapes, settings)
        assert "\n" not in str(raised.value)


WIDE = dataclasses.replace(tiny_lora.CONFIG, in_channels=12)


@pytest.mark.parametrize(
    "parts",
    [
        {"lora_A.weight": (2, 4, 1, 2, 2), "lora_B.weight": (24, 2, 1, 1, 1)},
        {"diff": (24, 4, 1, 2, 2)},
        {"diff": (24, 4, 1, 2, 2), "diff_b": (24,)},
        {"lokr_w1": (2, 2), "lokr_w2": (12, 2, 1, 2, 2)},
    ],
)
def test_patches_of_a_text_to_video_lora_are_left_out_of_an_image_to_video_model(models, parts):
    shapes = models.shapes | {"patch_embedding": (4 * WIDE.in_channels, WIDE.dim)}
    tensors = {f"diffusion_model.patch_embedding.{x}": np.ones(y) for x, y in parts.items()}
    with pytest.raises(UserError, match=r"changes nothing of the model: left out its patch_emb"):
        lora.parse("x", tensors, shapes)
    others = {f"diffusion_model.{Q}A.weight": np.ones((2, 24))}
    others |= {f"diffusion_model.{Q}B.weight": np.ones((24, 2))}
    read = lora.parse("x", tensors | others, shapes)
    assert set(read.factors) == {adapters.Target("blocks/attn1/to_q", 0)}
    assert not read.changes
    assert "left out its patch_embedding of 4 channels, as the model's has 12" in str(read)


@pytest.mark.parametrize("shape", [(2, 4, 2, 1, 2), (2, 16), (0, 4, 1, 2, 2)])
def test_a_lora_on_other_patches_is_refused(models, tmp_path, shape):
    key = "transformer.patch_embedding.lora_"
    up = np.ones((24, shape[0], 1, 1, 1))
    refused(models, tmp_path, "has lora_A of shape", {f"{key}A": np.ones(shape), f"{key}B": up})


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 10, "\N{ARABIC-INDIC DIGIT ONE}"])
@pytest.mark.parametrize("key", ["blocks.{}.attn1.to_q.", "lora_unet_blocks_{}_self_attn_q."])
def test_a_number_that_no_block_has_names_no_layer(models, tmp_path, key, number):
    key = f"{key.format(number)}lora_A.weight"
    assert not lora.own_shapes({key: np.ones((2, 24))})
    refused(models, tmp_path, "fits no layer of the model", {key: np.ones((2, 24))})


def test_a_layer_that_is_ours_alone_cannot_be_exported():
    factors = adapters.Factors(np.ones((2, 1)), np.ones((1, 2)))
    with pytest.raises(UserError, match="no place for a LoRA on segment_embedding"):
        lora.tensors_of({adapters.Target("segment_embedding", None): factors}, "diffusers")


def test_a_missing_file_is_named(models, tmp_path):
    with pytest.raises(UserError, match=r"nowhere does not exist"):
        lora.read(tmp_path / "nowhere", models.shapes)
    with pytest.raises(UserError, match=r"holds no .safetensors file: name weights"):
        lora.read(tmp_path, models.shapes)
    for name in ("a.safetensors", "b.safetensors"):
        ones(tmp_path, name)
    with pytest.raises(UserError, match=r"holds 2 safetensors files \(a.safetensors, b.safet"):
        lora.read(tmp_path, models.shapes)
    ones(tmp_path, "pytorch_lora_weights.safetensors")
    assert scale_of(lora.read(tmp_path, models.shapes)) == 1


def test_layers_to_train_are_named_by_the_ends_of_their_names_in_diffusers(models):
    shapes = models.shapes
    assert set(lora_keys.targets(["to_q"], shapes)) == {"blocks/attn1/to_q", "blocks/attn2/to_q"}
    assert set(lora_keys.targets(["attn1.to_out.0"], shapes)) == {"blocks/attn1/to_out"}
    both = lora_keys.targets(["ffn.net.2", "proj_out"], shapes)
    assert both == {path: shapes[path] for path in ("blocks/ffn/proj_out", "proj_out")}


@pytest.mark.parametrize("name", ["to_x", "o_q", ""])
def test_a_name_of_no_layer_is_refused_with_those_there_are(models, name):
    with pytest.raises(UserError, match=r"is not a linear layer .* attn1\.to_q, .*ffn\.net\.2"):
        lora_keys.targets(["to_k", name], models.shapes)
