"""LoHa, LoKr, DoRA and whole differences against their formulas, and against PEFT's numbers."""

import pathlib

import jax.numpy as jnp
import numpy as np
import peft
import pytest
import torch
from safetensors.numpy import load_file, save_file

from painting_jax.checkpoints import adapters, conversion, lora_changes, lora_keys
from painting_jax.checkpoints import lora_files as files
from painting_jax.checkpoints.components import Loaded, architecture
from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.lora_changes import Change, Difference
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.lora import Factors, Target
from painting_jax.models.tensor_names import TRANSFORMS, Slot
from tests import tiny_lora
from tests.models.wan.test_transformer import reference

OUT, IN, RANK = 18, 24, 3
LAYER = "blocks.0.attn1.to_q"
SHAPES = {"blocks/attn1/to_q": (1, IN, OUT), "patch_embedding": (4 * 4, OUT)}
SLOT = Slot("blocks/attn1/to_q/kernel", 0)
PATCHES = Slot("patch_embedding/kernel", None)


def random(*shape: int) -> np.ndarray:
    seed = sum(shape) * 7 + len(shape)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


BASE = random(OUT, IN)  # in the published layout
PATCH_BASE = random(OUT, 4, 1, 2, 2)


def change_of(parts: dict[str, np.ndarray], layer: str = LAYER, config: dict | None = None):
    """The only change that a LoRA of these parts of one layer makes."""
    tensors = {f"{layer}.{part}": np.asarray(array) for part, array in parts.items()}
    read = files.parse("x", tensors, SHAPES, config)
    assert not any(factors.rank for factors in read.factors.values())
    [(slot, change)] = read.changes.items()
    return slot, change


def changed(parts: dict[str, np.ndarray], config: dict | None = None) -> np.ndarray:
    """The change of the base, by NumPy and by JAX, in the published layout."""
    slot, change = change_of(parts, config=config)
    assert slot == SLOT
    params = {"blocks": {"attn1": {"to_q": {"kernel": jnp.asarray(BASE.T)[None]}}}}
    added = lora_changes.add(params, [({slot: change}, 1.0)])
    on_device = np.asarray(added["blocks"]["attn1"]["to_q"]["kernel"][0]).T - BASE
    on_host = change(np.ascontiguousarray(BASE.T)).T
    np.testing.assert_allclose(on_device, on_host, atol=2e-5)
    return on_host


def low_rank(outputs: int = OUT) -> dict[str, np.ndarray]:
    return {"lora_down.weight": random(RANK, IN), "lora_up.weight": random(outputs, RANK)}


HADA = {
    "hada_w1_a": random(OUT, RANK),
    "hada_w1_b": random(RANK, IN),
    "hada_w2_a": random(OUT, RANK + 1)[:, :RANK],
    "hada_w2_b": random(RANK + 1, IN)[:RANK],
}


@pytest.mark.parametrize(("alpha", "scale"), [(None, 1), (1.5, 0.5)])
def test_loha_is_a_product_of_two_products(alpha, scale):
    expected = np.zeros((OUT, IN))
    for i in range(OUT):
        for j in range(IN):
            first = sum(HADA["hada_w1_a"][i, r] * HADA["hada_w1_b"][r, j] for r in range(RANK))
            second = sum(HADA["hada_w2_a"][i, r] * HADA["hada_w2_b"][r, j] for r in range(RANK))
            expected[i, j] = scale * first * second
    alphas = {} if alpha is None else {"alpha": np.float32(alpha)}
    np.testing.assert_allclose(changed(HADA | alphas), expected, atol=1e-5)


W1, W2 = random(3, 4), random(6, 6)
W1_A, W1_B = random(3, 2), random(2, 4)
W2_A, W2_B = random(6, 2), random(2, 6)


@pytest.mark.parametrize(
    ("parts", "first", "second", "rank"),
    [
        ({"lokr_w1": W1, "lokr_w2": W2}, W1, W2, None),
        ({"lokr_w1": W1, "lokr_w2_a": W2_A, "lokr_w2_b": W2_B}, W1, W2_A @ W2_B, 2),
        ({"lokr_w1_a": W1_A, "lokr_w1_b": W1_B, "lokr_w2": W2}, W1_A @ W1_B, W2, 2),
        (
            {"lokr_w1_a": W1_A, "lokr_w1_b": W1_B, "lokr_w2_a": W2_A, "lokr_w2_b": W2_B},
            W1_A @ W1_B,
            W2_A @ W2_B,
            2,
        ),
    ],
)
@pytest.mark.parametrize("alpha", [None, 5.0])
def test_lokr_is_a_kronecker_product(parts, first, second, rank, alpha):
    # Whole factors have no rank, and LyCORIS scales them by 1 whatever alpha is.
    scale = 1 if alpha is None or rank is None else alpha / rank
    alphas = {} if alpha is None else {"alpha": np.float32(alpha)}
    expected = scale * np.kron(first, second)
    np.testing.assert_allclose(changed(parts | alphas), expected, atol=1e-5)


def dora(change: np.ndarray, lengths: np.ndarray, *, of_inputs: bool) -> np.ndarray:
    """DoRA's change of the base, vector by vector."""
    result = np.zeros_like(BASE)
    for i, length in enumerate(lengths.reshape(-1)):
        where = (slice(None), i) if of_inputs else i
        vector = BASE[where] + change[where]
        result[where] = length * vector / np.linalg.norm(vector) - BASE[where]
    return result


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("dora_scale", (OUT, 1)),
        ("dora_scale", (1, IN)),
        ("lora_magnitude_vector", (OUT,)),
        ("lora_magnitude_vector.weight", (OUT,)),
    ],
)
def test_dora_gives_new_lengths(name, shape):
    lengths = np.abs(random(*shape)) + 0.5
    pair = low_rank()
    product = 2 / RANK * pair["lora_up.weight"] @ pair["lora_down.weight"]
    expected = dora(product, lengths, of_inputs=shape == (1, IN))
    parts = pair | {"alpha": np.float32(2), name: lengths}
    np.testing.assert_allclose(changed(parts), expected, atol=1e-5)


def test_loha_and_lokr_may_have_new_lengths_too():
    lengths = np.abs(random(1, IN)) + 0.5
    for parts, change in (
        (HADA, (HADA["hada_w1_a"] @ HADA["hada_w1_b"]) * (HADA["hada_w2_a"] @ HADA["hada_w2_b"])),
        ({"lokr_w1": W1, "lokr_w2": W2}, np.kron(W1, W2)),
    ):
        expected = dora(change, lengths, of_inputs=True)
        np.testing.assert_allclose(changed(parts | {"dora_scale": lengths}), expected, atol=1e-5)


CORE, CORE_2 = random(RANK, RANK, 1, 2, 2), random(RANK + 1, RANK, 1, 2, 2)[:RANK]
SIDE_O, SIDE_I = random(RANK, OUT), random(RANK, 4)


def rebuilt(core, outer, inner) -> np.ndarray:
    return np.einsum("ijxyz,io,jc->ocxyz", core, outer, inner)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"diff": PATCH_BASE}, PATCH_BASE),
        (
            {
                "lora_up.weight": SIDE_O.T.reshape(OUT, RANK, 1, 1, 1),
                "lora_down.weight": SIDE_I.reshape(RANK, 4, 1, 1, 1),
                "lora_mid.weight": CORE,
                "alpha": np.float32(6),
            },
            2 * rebuilt(CORE, SIDE_O, SIDE_I),
        ),
        (
            {
                "hada_t1": CORE,
                "hada_w1_a": SIDE_O,
                "hada_w1_b": SIDE_I,
                "hada_t2": CORE_2,
                "hada_w2_a": SIDE_O,
                "hada_w2_b": SIDE_I,
            },
            rebuilt(CORE, SIDE_O, SIDE_I) * rebuilt(CORE_2, SIDE_O, SIDE_I),
        ),
        (
            {
                "hada_w1_a": SIDE_O.T,
                "hada_w1_b": random(RANK, 16),
                "hada_w2_a": SIDE_O.T,
                "hada_w2_b": random(RANK, 16),
            },
            np.square(SIDE_O.T @ random(RANK, 16)).reshape(PATCH_BASE.shape),
        ),
        (
            {"lokr_w1": random(3, 2), "lokr_w2": random(6, 2, 1, 2, 2)},
            np.kron(random(3, 2)[:, :, None, None, None], random(6, 2, 1, 2, 2)),
        ),
        (
            {
                "lokr_w1": random(3, 2),
                "lokr_t2": CORE,
                "lokr_w2_a": random(RANK, 6),
                "lokr_w2_b": random(RANK, 2),
            },
            np.kron(
                random(3, 2)[:, :, None, None, None],
                rebuilt(CORE, random(RANK, 6), random(RANK, 2)),
            ),
        ),
    ],
    ids=["whole", "LoCon", "LoHa with cores", "LoHa", "LoKr", "LoKr with a core"],
)
def test_patches_are_changed_as_the_convolution_they_are(parts, expected):
    slot, change = change_of(parts, "patch_embedding")
    assert slot == PATCHES
    transform = TRANSFORMS["patches_1x2x2"]
    theirs = transform.theirs(change(transform.ours(PATCH_BASE)))
    np.testing.assert_allclose(theirs, expected, atol=1e-4)


def test_new_lengths_of_patches_go_over_the_taps():
    for shape, axes in (((OUT, 1, 1, 1, 1), (1, 2, 3, 4)), ((1, 4, 1, 1, 1), (0, 2, 3, 4))):
        lengths = np.abs(random(*shape)) + 0.5
        difference = random(OUT, 4, 1, 2, 2)
        _, change = change_of({"diff": difference, "dora_scale": lengths}, "patch_embedding")
        whole = PATCH_BASE + difference
        norm = np.sqrt(np.square(whole).sum(axes, keepdims=True))
        transform = TRANSFORMS["patches_1x2x2"]
        theirs = transform.theirs(change(transform.ours(PATCH_BASE)))
        np.testing.assert_allclose(theirs, whole / norm * lengths - PATCH_BASE, atol=1e-5)


class Model(torch.nn.Module):
    """A layer under the name that Wan's has."""

    def __init__(self):
        super().__init__()
        block = torch.nn.ModuleDict({"attn1": torch.nn.ModuleDict()})
        block["attn1"]["to_q"] = torch.nn.Linear(IN, OUT)
        self.blocks = torch.nn.ModuleList([block])
        with torch.no_grad():
            block["attn1"]["to_q"].weight.copy_(torch.from_numpy(BASE))


PEFT = {
    "LoHa": peft.LoHaConfig(r=4, alpha=6, target_modules=["to_q"]),
    "LoKr": peft.LoKrConfig(r=2, alpha=6, target_modules=["to_q"]),
    "LoKr of whole factors": peft.LoKrConfig(r=16, alpha=6, target_modules=["to_q"]),
    "LoKr of products": peft.LoKrConfig(
        r=1, alpha=6, decompose_both=True, decompose_factor=3, target_modules=["to_q"]
    ),
    "DoRA": peft.LoraConfig(r=4, lora_alpha=6, use_dora=True, target_modules=["to_q"]),
    "stabilized DoRA": peft.LoraConfig(
        r=4, lora_alpha=6, use_dora=True, use_rslora=True, target_modules=["to_q"]
    ),
}


@pytest.mark.parametrize("kind", PEFT)
def test_adapters_of_peft_give_its_numbers(kind):
    config = PEFT[kind]
    torch.manual_seed(0)
    model = peft.get_peft_model(Model(), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                # Lengths stay positive.
                drawn = torch.randn_like(parameter)
                parameter.copy_(drawn.abs() + 0.5 if "magnitude" in name else drawn)
    state = peft.get_peft_model_state_dict(model)
    tensors = {name: tensor.detach().numpy().copy() for name, tensor in state.items()}
    settings = {
        key: value
        for key, value in config.to_dict().items()
        if key in ("r", "alpha", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")
    }
    merged = model.merge_and_unload().blocks[0]["attn1"]["to_q"].weight.detach().numpy()
    read = files.parse("x", tensors, SHAPES, settings)
    assert read.scaled_by == ("its config",)
    [change] = read.changes.values()
    np.testing.assert_allclose(change(np.ascontiguousarray(BASE.T)).T, merged - BASE, atol=1e-4)


def test_several_changes_are_those_of_the_parameters_as_they_were():
    """DoRA depends on the kernel, which another LoRA must not have changed before."""
    _, first = change_of(low_rank() | {"dora_scale": np.ones((OUT, 1), np.float32)})
    _, second = change_of({"diff": random(OUT, IN)})
    kernel = jnp.asarray(BASE.T)[None]
    params = {"blocks": {"attn1": {"to_q": {"kernel": kernel}}}, "x": jnp.ones(3)}
    expected = BASE.T + 0.7 * first(BASE.T) - 2 * second(BASE.T)
    for order in (1, -1):
        weighted = [({SLOT: first}, 0.7), ({SLOT: second}, -2.0)][::order]
        added = lora_changes.add(params, weighted)
        actual = added["blocks"]["attn1"]["to_q"]["kernel"][0]
        np.testing.assert_allclose(actual, expected, atol=1e-5)
    # What is given stays as it is.
    np.testing.assert_array_equal(kernel[0], BASE.T)
    assert added["x"] is params["x"]


def test_a_stack_keeps_its_dtype_and_its_other_layers():
    change = Change(Difference(np.full((2, 3), 0.5, np.float32)), None, TRANSFORMS["transpose"])
    params = {"a": jnp.ones((3, 3, 2), jnp.bfloat16)}
    added = lora_changes.add(params, [({Slot("a", 0): change, Slot("a", 2): change}, 2.0)])["a"]
    assert added.dtype == jnp.bfloat16
    np.testing.assert_array_equal(added[:, 0, 0], [2, 1, 2])


# All ways to change a layer, and what is no layer, for the tiny transformer.
BLOCK = "diffusion_model.blocks.1."
ALL_KINDS = {
    f"{BLOCK}self_attn.q.lokr_w1": random(4, 6),
    f"{BLOCK}self_attn.q.lokr_w2_a": random(6, 2),
    f"{BLOCK}self_attn.q.lokr_w2_b": random(2, 4),
    f"{BLOCK}self_attn.q.alpha": np.array(3, np.float32),
    f"{BLOCK}self_attn.q.diff_b": random(24),
    f"{BLOCK}ffn.0.hada_w1_a": random(32, 2),
    f"{BLOCK}ffn.0.hada_w1_b": random(2, 24),
    f"{BLOCK}ffn.0.hada_w2_a": random(32, 2),
    f"{BLOCK}ffn.0.hada_w2_b": random(2, 24),
    f"{BLOCK}cross_attn.v.lora_down.weight": random(2, 24),
    f"{BLOCK}cross_attn.v.lora_up.weight": random(24, 2),
    f"{BLOCK}cross_attn.v.dora_scale": np.abs(random(24, 1)) + 1,
    f"{BLOCK}cross_attn.k.lora_down.weight": random(2, 24),
    f"{BLOCK}cross_attn.k.lora_up.weight": random(24, 2),
    f"{BLOCK}ffn.2.diff": random(24, 32),
    "diffusion_model.patch_embedding.diff": random(24, 4, 1, 2, 2),
    "diffusion_model.patch_embedding.diff_b": random(24),
}
OF_NO_LAYER = {
    f"{BLOCK}norm3.diff": random(24),
    f"{BLOCK}norm3.diff_b": random(24),
    f"{BLOCK}cross_attn.norm_k.diff": random(24),
    f"{BLOCK}diff_m": random(1, 6, 24),
    "diffusion_model.head.modulation.diff": random(1, 2, 24),
    "diffusion_model.img_emb.proj.0.diff": random(8),
    "diffusion_model.img_emb.proj.4.diff_b": random(24),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> pathlib.Path:
    """The tiny transformer's folder."""
    folder = tmp_path_factory.mktemp("base") / "transformer"
    reference(tiny_lora.CONFIG).save_pretrained(folder)
    return folder


@pytest.fixture
def every_kind(tmp_path) -> pathlib.Path:
    """A LoRA that changes what there is to change, in every way."""
    save_file(ALL_KINDS | OF_NO_LAYER, tmp_path / "every.safetensors")
    return tmp_path / "every.safetensors"


def merged(base: pathlib.Path, target: pathlib.Path, lora: pathlib.Path, weight: float) -> dict:
    """The tensors of the model that `convert` merges a LoRA into."""
    specs = [adapters.LoraSpec(str(lora), weight)]
    changes = conversion.Changes(loras={"transformer": specs})
    conversion.convert(base, target, "diffusers", changes=changes)
    return load_file(target / "diffusion_pytorch_model.safetensors")


def test_every_kind_is_merged_alike_by_convert_and_on_the_mesh(base, every_kind, tmp_path):
    before = load_file(base / "diffusion_pytorch_model.safetensors")
    after = merged(base, tmp_path / "out", every_kind, 0.7)
    found = architecture(open_source(base))
    params: dict = {}
    for path, leaf in found.shapes.items():
        params[path] = np.zeros(leaf.shape, np.float32)
    tables = list(found.tables.values())
    expected = {path: array.copy() for path, array in params.items()}
    for source, arrays in ((open_source(base), params), (open_source(tmp_path / "out"), expected)):
        for tensor, (path, layer), transform in match_tensors(source, found.shapes, tables):
            place = arrays[path] if layer is None else arrays[path][layer]
            place[...] = transform.ours(tensor.view())
    tree: dict = {}
    for path, array in params.items():
        *parents, name = path.split("/")
        level = tree
        for parent in parents:
            level = level.setdefault(parent, {})
        level[name] = jnp.asarray(array)
    specs = [adapters.LoraSpec(str(every_kind), 0.7)]
    read = adapters.read(specs, found.kernels, found.other_shapes)
    assert not read[0].unused
    loaded = adapters.apply(Loaded(None, tree), specs, read, found.kernels, merge=True)
    for path, array in expected.items():
        level = loaded.params
        for part in path.split("/"):
            level = level[part]
        np.testing.assert_allclose(level, array, atol=1e-4, err_msg=path)
    changed_names = {name for name in before if not np.array_equal(before[name], after[name])}
    assert len(changed_names) == len(read[0].changes) + 3  # two biases and a low-rank kernel


def test_norms_and_modulations_are_changed_by_what_is_said(base, every_kind, tmp_path):
    before = load_file(base / "diffusion_pytorch_model.safetensors")
    after = merged(base, tmp_path / "out", every_kind, 0.5)
    names = {
        "blocks.1.norm2.weight": f"{BLOCK}norm3.diff",
        "blocks.1.norm2.bias": f"{BLOCK}norm3.diff_b",
        "blocks.1.attn2.norm_k.weight": f"{BLOCK}cross_attn.norm_k.diff",
        "blocks.1.scale_shift_table": f"{BLOCK}diff_m",
        "scale_shift_table": "diffusion_model.head.modulation.diff",
        "condition_embedder.image_embedder.norm1.weight": "diffusion_model.img_emb.proj.0.diff",
        "condition_embedder.image_embedder.norm2.bias": "diffusion_model.img_emb.proj.4.diff_b",
        "blocks.1.ffn.net.2.weight": f"{BLOCK}ffn.2.diff",
        "patch_embedding.bias": "diffusion_model.patch_embedding.diff_b",
    }
    for theirs, key in names.items():
        difference = (ALL_KINDS | OF_NO_LAYER)[key]
        np.testing.assert_allclose(after[theirs], before[theirs] + 0.5 * difference, atol=1e-6)


def test_it_is_said_what_is_changed_and_how(every_kind, base):
    found = architecture(open_source(base))
    said = str(files.read(every_kind, found.kernels, found.other_shapes))
    assert said.startswith(
        "1 matrices of rank 2, 1 DoRA matrices, 1 LoHa matrices, 1 LoKr matrices, 2 whole matrices,"
        " 7 norms and modulations, 2 biases in 1 blocks, scaled by 1 to 1.5 "
        "(alphas in the file and no alpha): attn1/to_q, attn2/norm_k/scale, "
    )


def convert_lora(source: pathlib.Path, target: pathlib.Path, layout: str) -> list[str]:
    return conversion.convert(source, target, layout, changes=conversion.Changes())


def test_in_comfyuis_layout_all_kinds_stay_what_they_are(every_kind, base, tmp_path):
    target = tmp_path / "comfyui.safetensors"
    report = convert_lora(every_kind, target, "comfyui")
    assert len(report) == 1
    written = load_file(target)
    for key, tensor in (ALL_KINDS | OF_NO_LAYER).items():
        # The only other name of the same.
        renamed = key.replace("blocks.1.diff_m", "blocks.1.modulation.diff")
        if "alpha" not in key and "cross_attn.k" not in key:
            np.testing.assert_array_equal(written[renamed], tensor, err_msg=key)
    for weight in (1.0, -0.4):
        folders = [tmp_path / f"{name}{weight}" for name in ("given", "written")]
        given, again = (
            merged(base, folder, lora, weight)
            for folder, lora in zip(folders, (every_kind, target), strict=True)
        )
        for name, tensor in given.items():
            np.testing.assert_allclose(again[name], tensor, atol=1e-5, err_msg=name)


def test_names_of_every_dialect_become_comfyuis(tmp_path):
    tensors = {
        "lycoris_blocks_0_attn1_to_q.lokr_w1": W1,
        "lycoris_blocks_0_attn1_to_q.lokr_w2": W2,
        "lycoris_blocks_0_norm2.w_norm": random(24),
        "lycoris_blocks_0_norm2.b_norm": random(24),
    }
    save_file(tensors, tmp_path / "a.safetensors")
    convert_lora(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "comfyui")
    written = load_file(tmp_path / "b.safetensors")
    expected = {
        "diffusion_model.blocks.0.self_attn.q.lokr_w1": W1,
        "diffusion_model.blocks.0.self_attn.q.lokr_w2": W2,
        "diffusion_model.blocks.0.norm3.diff": random(24),
        "diffusion_model.blocks.0.norm3.diff_b": random(24),
    }
    assert written.keys() == expected.keys()
    for key, tensor in expected.items():
        np.testing.assert_array_equal(written[key], tensor)


def test_whole_factors_with_a_scale_of_pefts_keep_it(tmp_path):
    tensors = {f"base_model.model.{LAYER}.lokr_w1": W1, f"base_model.model.{LAYER}.lokr_w2": W2}
    read = files.parse("x", tensors, SHAPES, {"r": 2, "alpha": 3})
    written = files.tensors_of(read.factors, "comfyui", read.changes)
    np.testing.assert_allclose(
        written["diffusion_model.blocks.0.self_attn.q.lokr_w1"], 1.5 * W1, rtol=1e-6
    )
    assert len(written) == 2


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (HADA, "LoHa"),
        ({"lokr_w1": W1, "lokr_w2": W2}, "LoKr"),
        (low_rank() | {"dora_scale": np.ones((OUT, 1), np.float32)}, "DoRA"),
    ],
)
def test_diffusers_which_reads_none_of_them_gets_none(tmp_path, parts, kind):
    save_file({f"{LAYER}.{part}": x for part, x in parts.items()}, tmp_path / "a.safetensors")
    said = rf"diffusers reads no {kind}, .* blocks.0.attn1.to_q: write it with --format=comfyui"
    with pytest.raises(UserError, match=said):
        convert_lora(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "diffusers")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_what_diffusers_has_no_place_for_is_said(tmp_path):
    tensors = {key: x for key, x in ALL_KINDS.items() if "cross_attn.k" in key} | OF_NO_LAYER
    save_file(tensors, tmp_path / "a.safetensors")
    report = convert_lora(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "diffusers")
    said = "left out, as diffusers has no place for them: blocks.1.attn2.norm_k.weight, blocks.1."
    assert any(line.startswith(said) for line in report)
    assert len(load_file(tmp_path / "b.safetensors")) == 2


@pytest.mark.parametrize(
    ("original", "outputs", "inputs"),
    [("ffn.0", 32, 24), ("ffn.2", 24, 32), ("self_attn.q", 24, 24)],
)
def test_for_diffusers_a_whole_matrix_is_a_product_with_the_identity(
    original, outputs, inputs, tmp_path
):
    difference = {f"{BLOCK}{original}.diff": 0.1 * random(outputs, inputs)}
    save_file(difference, tmp_path / "a.safetensors")
    convert_lora(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "diffusers")
    down, up = load_file(tmp_path / "b.safetensors").values()
    assert down.shape[0] == up.shape[1] == min(outputs, inputs)
    np.testing.assert_allclose(up @ down, difference.popitem()[1], atol=1e-6)


def test_a_bias_of_patches_alone_can_be_written():
    factors = Factors(np.zeros((16, 0)), np.zeros((0, 24)), 1.0, np.ones(24, np.float32))
    lora = {Target("patch_embedding", None): factors}
    assert files.tensors_of(lora, "comfyui").keys() == {"diffusion_model.patch_embedding.diff_b"}


@pytest.mark.parametrize(
    ("key", "shape", "said"),
    [
        ("norm3.diff", (23,), r"has diff of shape \[23\], in the model \[24\]"),
        ("norm3.diff_b", (23,), r"has diff_b of shape \[23\], in the model \[24\]"),
        ("diff_m", (1, 5, 24), r"has diff of shape \[1, 5, 24\], in the model \[1, 6, 24\]"),
        ("norm3.lora_down.weight", (2, 24), "has lora_A, but is no linear layer: its difference"),
        ("norm3.diff", (), r"has diff of shape \[\], in the model \[24\]"),
    ],
)
def test_differences_that_do_not_fit_are_named(base, key, shape, said):
    found = architecture(open_source(base))
    tensors = {f"{BLOCK}{key}": np.ones(shape, np.float32)}
    with pytest.raises(UserError, match=said):
        files.parse("x", tensors, found.kernels, others=found.other_shapes)
    beyond = {f"{BLOCK}{key}".replace("blocks.1", "blocks.7"): np.ones(shape, np.float32)}
    with pytest.raises(UserError, match="beyond the 2 blocks"):
        files.parse("x", beyond, found.kernels, others=found.other_shapes)


def test_the_sizes_of_a_lora_of_every_kind_are_told_by_it(every_kind, base):
    tensors = open_source(every_kind).tensors
    found = architecture(open_source(base))
    assert files.own_shapes(tensors).items() <= found.kernels.items()
    assert files.own_others(tensors).items() <= found.other_shapes.items()
    assert lora_keys.is_lora([f"{LAYER}.hada_w1_a"])
