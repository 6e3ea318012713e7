"""float8 weights with scales in the forms they are passed around in; other formats are named."""

import json
import pathlib

import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors.torch
import torch
from flax import nnx
from transformers import UMT5EncoderModel

from painting_jax.checkpoints import conversion, load
from painting_jax.checkpoints.quantized import ScaledTensor
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import Rule
from painting_jax.sharding.mesh import make_mesh
from tests.models.umt5.test_modeling import TINY, reference

FP8 = torch.float8_e4m3fn
KERNEL = torch.linspace(-3, 3, 8 * 6).reshape(8, 6)


def write(path: pathlib.Path, tensors: dict, metadata: dict[str, str] | None = None):
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    return open_source(path)


def mark(description: object) -> torch.Tensor:
    """ComfyUI's description of a layer's format."""
    return torch.tensor(list(json.dumps(description).encode()), dtype=torch.uint8)


def quantized(scale: torch.Tensor, dtype=FP8) -> tuple[torch.Tensor, np.ndarray]:
    """A kernel of eight outputs in float8, and what it stands for by a loop over its numbers."""
    stored = KERNEL.to(dtype)
    numbers = stored.float().numpy()
    flat = scale.float().numpy()
    rows, columns = numbers.shape
    expected = np.empty_like(numbers)
    for row in range(rows):
        for column in range(columns):
            if flat.size == 1:
                factor = flat.reshape(())
            elif flat.ndim == 1:
                factor = flat[row]
            else:
                blocks = flat.reshape(flat.shape[:2])
                factor = blocks[row * blocks.shape[0] // rows, column * blocks.shape[1] // columns]
            expected[row, column] = numbers[row, column] * factor
    return stored, expected


ONE = torch.tensor(0.0123)
ROWS = torch.linspace(0.01, 0.08, 8)
# The layer's tensors beside its weight, and those of the file, in each form.
FORMS = {
    "comfyui until 2025": ("scale_weight", ONE, {"scaled_fp8": torch.zeros(2, dtype=FP8)}),
    "comfyui with a scale of the inputs": (
        "scale_weight",
        ONE[None],
        {"scaled_fp8": torch.zeros(0, dtype=FP8), "layer.scale_input": torch.tensor(2.0)},
    ),
    "comfyui": (
        "weight_scale",
        ONE,
        {
            "layer.comfy_quant": mark({"format": "float8_e4m3fn"}),
            "layer.input_scale": torch.tensor(2.0),
        },
    ),
    "kijai": (
        "weight_scale",
        ONE,
        {
            "layer.comfy_quant": mark(
                {"format": "float8_e4m3fn", "full_precision_matrix_mult": True}
            )
        },
    ),
    "rows": (
        "weight_scale",
        ROWS[:, None],
        {"layer.comfy_quant": mark({"format": "float8_e4m3fn_rowwise"})},
    ),
    "lightx2v": ("weight_scale", ROWS[:, None], {}),
    "one number per row": ("weight_scale", ROWS, {}),
    "blocks": ("weight_scale_inv", torch.linspace(0.1, 0.9, 6).reshape(2, 3), {}),
    "musubi": ("scale_weight", torch.linspace(0.1, 0.9, 16).reshape(8, 2, 1), {}),
    "half precision": ("weight_scale", ONE.to(torch.bfloat16), {}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [FP8, torch.float8_e5m2])
def test_a_weight_is_the_product_of_its_numbers_and_its_scale(form, dtype, tmp_path):
    suffix, scale, others = FORMS[form]
    stored, expected = quantized(scale, dtype)
    bias = torch.ones(8)
    source = write(
        tmp_path / "x.safetensors",
        {"layer.weight": stored, f"layer.{suffix}": scale, "layer.bias": bias, **others},
    )
    assert source.tensors.keys() == {"layer.weight", "layer.bias"}
    weight = source.tensors["layer.weight"]
    assert isinstance(weight, ScaledTensor)
    assert weight.dtype == ml_dtypes.bfloat16
    np.testing.assert_allclose(weight.view(), expected, rtol=1e-6)


def test_formats_may_be_in_the_header(tmp_path):
    stored, expected = quantized(ONE)
    layers = {"layer": {"format": "float8_e4m3fn"}}
    source = write(
        tmp_path / "x.safetensors",
        {"layer.weight": stored, "layer.weight_scale": ONE},
        {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layers})},
    )
    np.testing.assert_allclose(source.tensors["layer.weight"].view(), expected, rtol=1e-6)


def test_a_scale_in_another_shard_is_found(tmp_path):
    stored, expected = quantized(ONE)
    parts = {"a": {"layer.weight": stored}, "b": {"layer.weight_scale": ONE}}
    for name, tensors in parts.items():
        safetensors.torch.save_file(tensors, tmp_path / f"{name}.safetensors")
    places = {key: f"{name}.safetensors" for name, tensors in parts.items() for key in tensors}
    index = {"weight_map": places}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    source = open_source(tmp_path)
    np.testing.assert_allclose(source.tensors["layer.weight"].view(), expected, rtol=1e-6)


def test_layers_without_a_scale_are_as_they_are(tmp_path):
    tensors = {"scaled_fp8": torch.zeros(2, dtype=FP8), "layer.weight": KERNEL.to(FP8)}
    source = write(tmp_path / "x.safetensors", tensors)
    assert source.tensors["layer.weight"].dtype == ml_dtypes.float8_e4m3fn


@pytest.mark.parametrize("form", ["comfyui", "lightx2v", "blocks"])
@pytest.mark.parametrize(("chunk", "devices"), [(load._CHUNK, 1), (8, 4)])
def test_they_are_scaled_on_their_way_to_the_mesh(form, chunk, devices, tmp_path, monkeypatch):
    monkeypatch.setattr(load, "_CHUNK", chunk)
    suffix, scale, _ = FORMS[form]
    stored, expected = quantized(scale)
    source = write(
        tmp_path / "x.safetensors",
        {
            f"blocks.{block}.layer.{name}": tensor.clone()
            for block in range(2)
            for name, tensor in (("weight", stored), (suffix, scale))
        },
    )
    mesh = make_mesh({"data": 1, "fsdp": -1, "tensor": 1, "sequence": 1}, jax.devices()[:devices])

    class Stack(nnx.Module):
        def __init__(self):
            self.kernel = nnx.Param(jax.numpy.zeros((2, 6, 8)))

    rules = [Rule(r"blocks\.(?P<layer>[0-9]+)\.layer\.weight", "kernel", "transpose")]
    params = load.load_params(nnx.eval_shape(Stack), source, [rules], mesh=mesh, progress=False)
    for layer in np.asarray(params["kernel"]):
        np.testing.assert_allclose(layer, expected.T, rtol=1e-6)


def refused(path: pathlib.Path, said: str, tensors: dict, metadata=None) -> None:
    with pytest.raises(UserError, match=said) as raised:
        write(path / "x.safetensors", tensors, metadata)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


WHOLE = torch.ones(8, 6, dtype=torch.int8)
PACKED = torch.ones(8, 3, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("said", "tensors"),
    [
        ("quantized as int8", {"layer.weight": WHOLE, "layer.weight_scale": ONE}),
        ("quantized as int8", {"layer.weight": WHOLE, "layer.scale_weight": ROWS}),
        ("quantized as int8", {"layer.weight": WHOLE}),
        (
            "quantized as int8_tensorwise",
            {
                "layer.weight": WHOLE,
                "layer.weight_scale": ONE,
                "layer.comfy_quant": mark({"format": "int8_tensorwise", "convrot": True}),
            },
        ),
        (
            "quantized as nvfp4",
            {
                "layer.weight": PACKED,
                "layer.weight_scale": torch.ones(8, 1).to(FP8),
                "layer.weight_scale_2": ONE,
                "layer.comfy_quant": mark({"format": "nvfp4"}),
            },
        ),
        (
            "quantized as mxfp8",
            {
                "layer.weight": KERNEL.to(FP8),
                "layer.weight_scale": torch.ones(8, 1, dtype=torch.uint8),
                "layer.comfy_quant": mark({"format": "mxfp8"}),
            },
        ),
        (
            "quantized as float8_e4m3fn with convrot",
            {
                "layer.weight": KERNEL.to(FP8),
                "layer.weight_scale": ONE,
                "layer.comfy_quant": mark({"format": "float8_e4m3fn", "convrot": True}),
            },
        ),
        (
            "quantized as bitsandbytes",
            {"layer.weight": PACKED, "layer.weight.absmax": ONE, "layer.weight.quant_map": ROWS},
        ),
        ("quantized as quanto", {"layer.weight._data": WHOLE, "layer.weight._scale": ROWS}),
        ("quantized as int4", {"layer.qweight": PACKED, "layer.wscales": ROWS}),
        (
            r"scale of \[5\] and type float32 for layer.weight of \[8, 6\]",
            {"layer.weight": KERNEL.to(FP8), "layer.weight_scale": torch.ones(5)},
        ),
        (
            "layer.weight has two scales",
            {"layer.weight": KERNEL.to(FP8), "layer.weight_scale": ONE, "layer.scale_weight": ROWS},
        ),
        ("is no JSON", {"layer.comfy_quant": torch.full((9,), 123, dtype=torch.uint8)}),
        ("is 5000 bytes", {"layer.comfy_quant": torch.zeros(5000, dtype=torch.uint8)}),
        ("is not a JSON object", {"layer.comfy_quant": mark([1])}),
    ],
)
def test_what_is_quantized_otherwise_is_named(tmp_path, said, tensors):
    refused(tmp_path, said, tensors)


@pytest.mark.parametrize(
    ("said", "header"),
    [
        ("quantized as nvfp4", '{"layers": {"layer": {"format": "nvfp4"}}}'),
        ("quantized as nvfp4", '{"layers": {"layer": "nvfp4"}}'),
        ("is no JSON", "{"),
        ("is no JSON", "[" * 100_000),
        ("not a JSON object of layers", "[1]"),
        ("not a JSON object of layers", '{"layers": [1]}'),
        ("a layer's quantization is not a JSON object", '{"layers": {"layer": 5}}'),
    ],
    ids=range(7),
)
def test_so_is_what_its_header_says(tmp_path, said, header):
    refused(tmp_path, said, {"layer.weight": KERNEL}, {"_quantization_metadata": header})


def test_a_scaled_text_encoder_of_comfyui_becomes_a_folder_of_transformers(tmp_path):
    """A single file as ComfyUI publishes it: its sizes are in the shapes alone."""
    theirs = reference(TINY)
    tensors, expected = {"spiece_model": torch.zeros(9, dtype=torch.uint8)}, {}
    for name, tensor in theirs.state_dict().items():
        expected[name] = tensor
        if name == "encoder.embed_tokens.weight":
            continue
        tensors[name] = tensor.clone()
        if ".SelfAttention.q." in name:
            scale = tensor.abs().max() / 448
            tensors[name] = (tensor / scale).to(FP8)
            tensors[name.replace(".weight", ".scale_weight")] = scale
            expected[name] = tensors[name].float() * scale
    tensors["scaled_fp8"] = torch.zeros(0, dtype=FP8)
    safetensors.torch.save_file(tensors, tmp_path / "umt5_fp8_scaled.safetensors")
    report = conversion.convert(
        tmp_path / "umt5_fp8_scaled.safetensors",
        tmp_path / "text_encoder",
        "diffusers",
        changes=conversion.Changes(dtype=np.dtype(np.float32)),
    )
    assert "tensors read" in report[0]
    again = UMT5EncoderModel.from_pretrained(tmp_path / "text_encoder").state_dict()
    assert again.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(again[name], tensor, atol=0, rtol=1e-6)
