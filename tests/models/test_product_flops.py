"""FLOPs of products and convolutions are those counted by hand and by torch."""

from unittest import mock

import jax
import jax.numpy as jnp
import pytest
import torch
from diffusers import AutoencoderKLWan
from flax import nnx
from torch.utils.flop_counter import FlopCounterMode

from painting_jax.models import fast_on_cpu
from painting_jax.models.product_flops import product_flops
from painting_jax.models.wan import vae


def test_loops_and_branches_count_as_often_as_they_run():
    a, b = jnp.zeros((2, 3, 5)), jnp.zeros((5, 7))

    def function(a, b):
        products = jax.lax.map(lambda a_35: a_35 @ b, a)
        again = jax.lax.cond(a[0, 0, 0] > 0, lambda: a[0] @ b, lambda: 0 * (a[0] @ b @ b.T @ b))
        return jax.nn.silu(products) + jax.jit(jnp.add)(again, 1)

    product = 2 * 3 * 5 * 7
    assert product_flops(function, a, b) == 2 * product + 3 * product


def test_a_grouped_convolution_counts_the_channels_of_its_group():
    x, kernel = jnp.zeros((2, 8, 8, 6)), jnp.zeros((3, 3, 2, 9))

    def function(x, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (2, 2), "SAME", dimension_numbers=numbers, feature_group_count=3
        )

    assert product_flops(function, x, kernel) == 2 * (2 * 4 * 4 * 9) * (3 * 3 * 2)


def test_encoding_four_more_frames_takes_the_flops_that_torch_counts():
    # The first frame takes fewer: torch multiplies the zeros before it, too.
    theirs = AutoencoderKLWan(base_dim=8, z_dim=4, num_res_blocks=1)
    config = vae.WanVAEConfig(8, 8, (0.0,) * 4, (1.0,) * 4, depth=1)
    graph, params = nnx.split(nnx.eval_shape(lambda: vae.WanVAE(config)))

    def of_torch(frames):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            theirs.encode(torch.zeros(1, 3, frames, 32, 32))
        return counter.get_total_flops()

    def ours(frames):
        video = jnp.zeros((1, frames, 32, 32, 3))
        return product_flops(
            lambda *given: nnx.merge(graph, given[0]).moments(given[1]), params, video
        )

    # The convolutions of CPUs are written in another way.
    with mock.patch.object(fast_on_cpu, "enabled", return_value=False):
        more = ours(13) - ours(9)
    # Attention within a frame: torch does not count it on a CPU.
    assert more == pytest.approx(of_torch(13) - of_torch(9), rel=0.01)
