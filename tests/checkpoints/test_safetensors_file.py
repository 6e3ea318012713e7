"""Views and streamed files against the safetensors library, and damaged files."""

import itertools
import json
import os
import struct
import sys
import time

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from painting_jax.checkpoints import safetensors_file
from painting_jax.errors import UserError


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "a.safetensors"
    torch.manual_seed(0)
    tensors = {
        "matrix": torch.randn(3, 5),
        "half": torch.randn(2, 3, 4).to(torch.bfloat16),
        "small": torch.randn(7).to(torch.float8_e4m3fn),
        "scalar": torch.tensor(16.0),
        "empty": torch.zeros(0, 4),
        "counts": torch.arange(5),
    }
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt", "note": "x"})
    return path, tensors


def test_reads_what_the_library_wrote(saved):
    path, theirs = saved
    ours, metadata = safetensors_file.read_header(path)
    assert metadata == {"format": "pt", "note": "x"}
    assert ours.keys() == theirs.keys()
    assert ours["half"].dtype == ml_dtypes.bfloat16
    for name, tensor in theirs.items():
        assert ours[name].shape == tuple(tensor.shape)
        np.testing.assert_array_equal(
            np.asarray(ours[name].view(), np.float32), tensor.float().numpy()
        )


def test_many_views_open_their_file_once(saved):
    path, _ = saved
    tensors, _ = safetensors_file.read_header(path)
    tensors = {f"{name}{i}": tensor for i in range(100) for name, tensor in tensors.items()}
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    views = safetensors_file.views(tensors)
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) <= before + 1
    for name, array in views.items():
        np.testing.assert_array_equal(array, tensors[name].view())
        assert array.dtype == tensors[name].dtype


def test_the_library_reads_what_is_written(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "b": rng.normal(size=(3, 4)).astype(np.float32),
        "a": rng.normal(size=(2, 5, 3)).astype(ml_dtypes.bfloat16),
        "c": np.float32(3),
    }
    path = tmp_path / "a.safetensors"
    tensors = {
        k: safetensors_file.PendingTensor(x.dtype, x.shape, lambda x=x: x)
        for k, x in arrays.items()
    }
    safetensors_file.write(path, tensors, {"format": "pt"})
    theirs = safetensors.torch.load_file(path)
    assert theirs.keys() == arrays.keys()
    assert theirs["a"].dtype == torch.bfloat16
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name].float().numpy(), np.asarray(array, np.float32))


def test_a_file_truncated_anywhere_is_refused_in_one_line(saved, tmp_path):
    path, _ = saved
    content = path.read_bytes()
    for size in (0, 5, 8, 100, len(content) // 2, len(content) - 1):
        cut = tmp_path / f"cut_{size}.safetensors"
        cut.write_bytes(content[:size])
        with pytest.raises(UserError, match=r"is truncated.*fetch it again") as raised:
            safetensors_file.read_header(cut)
        assert "\n" not in str(raised.value)


def damaged(header, data: bytes = bytes(16), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


ENTRY = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (damaged(b"", length=2**63), "header too large"),
        (damaged(b"{"), "invalid JSON"),
        (damaged(b"[" * 100_000), "invalid JSON"),
        (damaged(b"[]"), "invalid JSON"),
        (damaged(b'{"a": 1, "a": 2}'), "invalid JSON"),
        (damaged({"a": None}), "invalid JSON"),
        (damaged({"a": ENTRY | {"dtype": "F4", "shape": [32]}}), "use a file in BF16"),
        (damaged({"a": ENTRY | {"dtype": "F" * 5000}}), "unknown variant"),
        (damaged({"a": ENTRY | {"dtype": [1]}}), "invalid JSON"),
        (damaged({"a": ENTRY | {"shape": [-2, -2]}}), "invalid JSON"),
        (damaged({"a": ENTRY | {"shape": [4.0]}}), "invalid JSON"),
        (damaged({"a": ENTRY | {"shape": [2**62, 4]}}), "overflow"),
        (
            damaged({"a": ENTRY | {"shape": [0, 2**62], "data_offsets": [0, 0]}}, b""),
            "too large",
        ),
        (
            damaged({"a": ENTRY | {"shape": [1] * 65, "data_offsets": [0, 4]}}, bytes(4)),
            "too large",
        ),
        (damaged({"a": ENTRY | {"data_offsets": [0]}}), "invalid JSON"),
        (damaged({"a": ENTRY, "b": ENTRY}), "invalid offset"),
        (damaged({"a": ENTRY | {"data_offsets": [16, 32]}}, bytes(32)), "invalid offset"),
        (damaged({"a\n" * 5000: ENTRY | {"data_offsets": [1, 17]}}), "invalid offset"),
        (damaged({"a": ENTRY}, bytes(20)), "not fully covered"),
        (damaged({"a": ENTRY, "__metadata__": {"x": 1}}), "invalid JSON"),
        (b"\x03\x00\x00\x00" + bytes(100), "truncated, damaged or not a safetensors file"),
    ],
    ids=itertools.count(),
)
def test_a_damaged_file_is_refused_in_one_line(content, said, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as raised:
        safetensors_file.read_header(path)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (
            b"GGUF\x03\x00\x00\x00",
            "is a GGUF file, .* use a .safetensors of the same model in BF16",
        ),
        (b"PK\x03\x04archive/data.pkl", "is a pickle of PyTorch"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
        (b"<!doctype html><html>", "is a web page"),
        (b"<html><head>", "is a web page"),
    ],
)
@pytest.mark.parametrize("suffix", ["safetensors", "gguf"])
def test_a_file_of_another_format_is_named(tmp_path, start, said, suffix):
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(start + bytes(1000))
    with pytest.raises(UserError, match=said) as raised:
        safetensors_file.read_header(path)
    assert "\n" not in str(raised.value)


def test_a_header_of_very_many_tensors_is_refused_at_once(tmp_path):
    entry = '"{}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    for count, said in ((1_000_000, "has a header of"), (100_000, "holds 100000 tensors")):
        header = "{" + ",".join(entry.format(i) for i in range(count)) + "}"
        path = tmp_path / f"{count}.safetensors"
        path.write_bytes(damaged(header.encode(), b""))
        begun = time.monotonic()
        with pytest.raises(UserError, match=said):
            safetensors_file.read_header(path)
        assert time.monotonic() - begun < 5
