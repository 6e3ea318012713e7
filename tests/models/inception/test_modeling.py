"""FID's Inception against its published definition, written in torch."""

import jax
import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from flax import nnx

from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.inception import modeling as inception
from painting_jax.models.inception.modeling import InceptionV3
from painting_jax.models.inception.params import TABLE, check


class Definition:
    """The network of pytorch-fid as one pass over named weights, which it makes up as it goes."""

    def __init__(self):
        self.weights: dict[str, torch.Tensor] = {}
        self._random = torch.Generator().manual_seed(0)

    def conv(self, x, name, outputs, kernel=(1, 1), stride=1, pad=(0, 0)):
        if f"{name}.conv.weight" not in self.weights:
            fan = x.shape[1] * kernel[0] * kernel[1]
            rand = lambda *shape: torch.randn(*shape, generator=self._random)  # noqa: E731
            self.weights |= {
                f"{name}.conv.weight": rand(outputs, x.shape[1], *kernel) * (2 / fan) ** 0.5,
                f"{name}.bn.weight": 1 + 0.1 * rand(outputs),
                f"{name}.bn.bias": 0.1 * rand(outputs),
                f"{name}.bn.running_mean": 0.1 * rand(outputs),
                f"{name}.bn.running_var": 1 + 0.1 * rand(outputs).abs(),
                f"{name}.bn.num_batches_tracked": torch.tensor(0),
            }
        w = {key: self.weights[f"{name}.{key}"] for key in ("conv.weight", "bn.weight", "bn.bias")}
        mean, var = (self.weights[f"{name}.bn.running_{key}"] for key in ("mean", "var"))
        x = F.conv2d(x, w["conv.weight"], stride=stride, padding=pad)
        x = F.batch_norm(x, mean, var, w["bn.weight"], w["bn.bias"], eps=0.001)
        return F.relu(x)

    def __call__(self, x):
        conv = self.conv
        x = conv(x, "Conv2d_1a_3x3", 32, (3, 3), 2)
        x = conv(x, "Conv2d_2a_3x3", 32, (3, 3))
        x = conv(x, "Conv2d_2b_3x3", 64, (3, 3), pad=(1, 1))
        x = F.max_pool2d(x, 3, 2)
        x = conv(x, "Conv2d_3b_1x1", 80)
        x = conv(x, "Conv2d_4a_3x3", 192, (3, 3))
        x = F.max_pool2d(x, 3, 2)
        for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = self._a(x, name, pooled)
        first = x
        x = self._b(x, "Mixed_6a")
        for name, width in zip("bcde", (128, 160, 160, 192), strict=True):
            x = self._c(x, f"Mixed_6{name}", width)
        second = x
        x = self._d(x, "Mixed_7a")
        x = self._e(x, "Mixed_7b", _average)
        x = self._e(x, "Mixed_7c", lambda x: F.max_pool2d(x, 3, 1, 1))
        return first, second, x

    def _a(self, x, n, pooled):
        a = self.conv(x, f"{n}.branch1x1", 64)
        b = self.conv(x, f"{n}.branch5x5_1", 48)
        b = self.conv(b, f"{n}.branch5x5_2", 64, (5, 5), pad=(2, 2))
        c = self.conv(x, f"{n}.branch3x3dbl_1", 64)
        c = self.conv(c, f"{n}.branch3x3dbl_2", 96, (3, 3), pad=(1, 1))
        c = self.conv(c, f"{n}.branch3x3dbl_3", 96, (3, 3), pad=(1, 1))
        return torch.cat([a, b, c, self.conv(_average(x), f"{n}.branch_pool", pooled)], 1)

    def _b(self, x, n):
        a = self.conv(x, f"{n}.branch3x3", 384, (3, 3), 2)
        b = self.conv(x, f"{n}.branch3x3dbl_1", 64)
        b = self.conv(b, f"{n}.branch3x3dbl_2", 96, (3, 3), pad=(1, 1))
        b = self.conv(b, f"{n}.branch3x3dbl_3", 96, (3, 3), 2)
        return torch.cat([a, b, F.max_pool2d(x, 3, 2)], 1)

    def _c(self, x, n, width):
        row, column = {"kernel": (1, 7), "pad": (0, 3)}, {"kernel": (7, 1), "pad": (3, 0)}
        a = self.conv(x, f"{n}.branch1x1", 192)
        b = self.conv(x, f"{n}.branch7x7_1", width)
        b = self.conv(b, f"{n}.branch7x7_2", width, **row)
        b = self.conv(b, f"{n}.branch7x7_3", 192, **column)
        c = self.conv(x, f"{n}.branch7x7dbl_1", width)
        c = self.conv(c, f"{n}.branch7x7dbl_2", width, **column)
        c = self.conv(c, f"{n}.branch7x7dbl_3", width, **row)
        c = self.conv(c, f"{n}.branch7x7dbl_4", width, **column)
        c = self.conv(c, f"{n}.branch7x7dbl_5", 192, **row)
        return torch.cat([a, b, c, self.conv(_average(x), f"{n}.branch_pool", 192)], 1)

    def _d(self, x, n):
        a = self.conv(x, f"{n}.branch3x3_1", 192)
        a = self.conv(a, f"{n}.branch3x3_2", 320, (3, 3), 2)
        b = self.conv(x, f"{n}.branch7x7x3_1", 192)
        b = self.conv(b, f"{n}.branch7x7x3_2", 192, (1, 7), pad=(0, 3))
        b = self.conv(b, f"{n}.branch7x7x3_3", 192, (7, 1), pad=(3, 0))
        b = self.conv(b, f"{n}.branch7x7x3_4", 192, (3, 3), 2)
        return torch.cat([a, b, F.max_pool2d(x, 3, 2)], 1)

    def _e(self, x, n, pool):
        def split(x, name):
            row = self.conv(x, f"{n}.{name}a", 384, (1, 3), pad=(0, 1))
            return torch.cat([row, self.conv(x, f"{n}.{name}b", 384, (3, 1), pad=(1, 0))], 1)

        a = self.conv(x, f"{n}.branch1x1", 320)
        b = split(self.conv(x, f"{n}.branch3x3_1", 384), "branch3x3_2")
        c = self.conv(x, f"{n}.branch3x3dbl_1", 448)
        c = self.conv(c, f"{n}.branch3x3dbl_2", 384, (3, 3), pad=(1, 1))
        c = split(c, "branch3x3dbl_3")
        return torch.cat([a, b, c, self.conv(pool(x), f"{n}.branch_pool", 192)], 1)


def _average(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


@pytest.fixture(scope="module")
def definition() -> Definition:
    definition = Definition()
    definition(torch.zeros(1, 3, 75, 75))
    definition.weights |= {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    return definition


def test_file_in_pytorch_fids_names_gives_the_published_activations(tmp_path, definition):
    safetensors.torch.save_file(definition.weights, tmp_path / "fid.safetensors")
    source = open_source(tmp_path / "fid.safetensors")
    check(source)
    ours = load_model(lambda: InceptionV3(rngs=nnx.Rngs(0)), source, [TABLE])
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 107, 90, 3)).astype(np.float32)
    with torch.no_grad():
        expected = definition(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    actual = nnx.jit(lambda m, x: m(x))(ours, pixels)
    for x_NHWC, x_NCHW in zip(actual, expected, strict=True):
        wanted = x_NCHW.permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(x_NHWC, wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0)


@pytest.mark.parametrize("shape", [(64, 96), (301, 480)])
def test_preprocessing_equals_bilinear_interpolation(shape):
    pictures = np.random.default_rng(0).uniform(0, 1, (1, *shape, 3)).astype(np.float32)
    expected = 2 * F.interpolate(
        torch.from_numpy(pictures).permute(0, 3, 1, 2), (299, 299), mode="bilinear"
    ).permute(0, 2, 3, 1) - 1  # fmt: skip
    actual = jax.jit(inception.preprocess)(pictures)
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5)


def test_torchvisions_inception_is_refused(tmp_path, definition):
    other = definition.weights | {"fc.weight": torch.zeros(1000, 2048)}
    safetensors.torch.save_file(other, tmp_path / "inception_v3.safetensors")
    with pytest.raises(UserError, match=r"not FID's .1000 classes instead of 1008"):
        check(open_source(tmp_path / "inception_v3.safetensors"))
