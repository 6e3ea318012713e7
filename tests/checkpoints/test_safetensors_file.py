"""The file format against the safetensors library, and files that are not what they say."""

import itertools
import json
import struct

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


def test_the_library_reads_what_is_written(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "b": rng.normal(size=(3, 4)).astype(np.float32),
        "a": rng.normal(size=(2, 5, 3)).astype(ml_dtypes.bfloat16),
        "c": np.float32(3),
    }
    path = tmp_path / "a.safetensors"
    tensors = {
        k: safetensors_file.Pending(x.dtype, x.shape, lambda x=x: x) for k, x in arrays.items()
    }
    safetensors_file.write(path, tensors, {"format": "pt"})
    theirs = safetensors.torch.load_file(path)
    assert theirs.keys() == arrays.keys()
    assert theirs["a"].dtype == torch.bfloat16
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name].float().numpy(), np.asarray(array, np.float32))


def test_a_file_cut_short_anywhere_is_refused_in_one_line(saved, tmp_path):
    path, _ = saved
    whole = path.read_bytes()
    for size in (0, 5, 8, 100, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / f"cut_{size}.safetensors"
        cut.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"truncated.*fetch it again") as raised:
            safetensors_file.read_header(cut)
        assert "\n" not in str(raised.value)


def damaged(header, data: bytes = bytes(16), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


ENTRY = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (damaged(b"", length=2**63), "truncated"),
        (damaged(b"{"), "damaged"),
        (damaged(b"[" * 100_000), "damaged"),
        (damaged(b"[]"), "damaged"),
        (damaged(b'{"a": 1, "a": 2}'), "a name occurs twice"),
        (damaged({"a": None}), "damaged"),
        (damaged({"a": ENTRY | {"dtype": "F4"}}), "use a file in BF16"),
        (damaged({"a": ENTRY | {"dtype": [1]}}), "damaged"),
        (damaged({"a": ENTRY | {"shape": [-2, -2]}}), "damaged"),
        (damaged({"a": ENTRY | {"shape": [4.0]}}), "damaged"),
        (damaged({"a": ENTRY | {"shape": [2**62, 4]}}), "damaged"),
        (damaged({"a": ENTRY | {"shape": [0, 2**62], "data_offsets": [0, 0]}}), "too large"),
        (
            damaged({"a": ENTRY | {"shape": [1] * 65, "data_offsets": [0, 4]}}, bytes(4)),
            "too large",
        ),
        (damaged({"a": ENTRY | {"data_offsets": [0]}}), "damaged"),
        (damaged({"a": ENTRY, "b": ENTRY}), "overlap"),
        (damaged({"a": ENTRY | {"data_offsets": [16, 32]}}, bytes(32)), "overlap"),
        (damaged({"a": ENTRY}, bytes(20)), "4 bytes too long"),
        (damaged({"a": ENTRY, "__metadata__": {"x": 1}}), "damaged"),
        (b"PK\x03\x04" + bytes(100), "truncated or is no safetensors file"),
    ],
    ids=itertools.count(),
)
def test_a_file_that_is_none_is_refused_in_one_line(content, said, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as raised:
        safetensors_file.read_header(path)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400
