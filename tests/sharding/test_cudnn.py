"""cuDNN's kernels run as often as they must, at every length: traced, since there is no GPU."""

import collections
from unittest import mock

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import jaxprs_in_params

from painting_jax.models import remat
from painting_jax.sharding import cudnn
from painting_jax.sharding.attention import Strategy, attention
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.padding import Padding

_CUDNN = Strategy("cudnn")
_FORWARD, _BACKWARD = (f"dot_product_attention_{half}_wrapper" for half in ("fwd", "bwd"))


@pytest.fixture(autouse=True)
def _version():
    with mock.patch.object(cudnn._kernels(), "check_cudnn_version", return_value=91_000):
        yield


def _kernels(function, *arguments):
    """How often each primitive stands in a function."""
    found = collections.Counter()

    def count(jaxpr):
        for equation in jaxpr.eqns:
            found[equation.primitive.name] += 1
            for inner in jaxprs_in_params(equation.params):
                count(inner)

    count(jax.make_jaxpr(function)(*arguments).jaxpr)
    return found[_FORWARD], found[_BACKWARD]


@pytest.mark.parametrize(
    ("policy", "forward"), [("none", 2), ("full", 4), ("attention", 3), ("offload", 3)]
)
def test_the_kernel_of_self_attention_runs_once_where_its_output_is_kept(policy, forward):
    padding = Padding(3, 7, 7)

    def block(x_BSD, weights_DD):
        x_BSNK = (x_BSD @ weights_DD).reshape(1, 21, 2, 16)
        seen = attention(x_BSNK, x_BSNK, x_BSNK, padding, _CUDNN)
        text_BLNK = x_BSNK[:, :5]
        return x_BSD + attention(seen, text_BLNK, text_BLNK, None, _CUDNN).reshape(1, 21, 32), None

    def loss(weights_LDD, x_BSD):
        return jax.lax.scan(remat.rematerialised(block, policy), x_BSD, weights_LDD)[0].sum()

    weights, tokens = jnp.zeros((4, 32, 32), jnp.bfloat16), jnp.zeros((1, 21, 32), jnp.bfloat16)
    assert _kernels(jax.grad(loss), weights, tokens) == (forward, 2)


@pytest.mark.parametrize(
    ("tokens", "ring", "kernels"), [(8, 0, 1), (8, 8, 1), (7, 0, 1), (7, 8, 0)]
)
def test_tokens_over_devices_meet_the_kernel_unless_a_ring_passes_padding_round(
    tokens, ring, kernels
):
    with jax.set_mesh(make_mesh({"data": 1, "sequence": 8})):
        padding = Padding.of(3, tokens)
        x = jnp.zeros((1, 3 * padding.padded, 8, 16), jnp.bfloat16)
        strategy = Strategy("cudnn", ring)
        found, _ = _kernels(lambda x: attention(x, x, x, padding, strategy), x)
    assert found == kernels
