"""Adapters beside the layers: diffusers' outputs and gradients, and a base that stays as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from painting_jax.checkpoints import lora_files as files
from painting_jax.models import lora
from painting_jax.models.wan.transformer import WanTransformer
from tests import tiny_lora
from tests.models.wan.test_transformer import copy_weights, reference

_FROZEN = nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """diffusers' transformer with a LoRA, ours with the same one beside its layers."""
    path = tiny_lora.write(
        tmp_path_factory.mktemp("lora") / "x.safetensors", tiny_lora.pairs(1), tiny_lora.DIFFUSERS
    )
    theirs = reference(tiny_lora.CONFIG)
    ours = copy_weights(theirs, tiny_lora.CONFIG)
    ours.remat = "none"  # which would be compiled, too
    shapes = lora.kernels(ours)
    factors = files.read(path, shapes).factors
    lora.attach(ours, lora.combine([(factors, 1.0)], shapes))
    return tiny_lora.with_loras(theirs, [(path, 1.0)]), ours


def _branches(model):
    return lora.from_tree(nnx.to_pure_dict(nnx.state(model, nnx.LoRAParam)))


def assert_equal(actual, expected, tolerance):
    expected = expected.detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("sizes", [{"batch": 1, "length": 1}, {"batch": 2, "length": 4}])
def test_outputs_and_gradients_of_the_adapters_equal_diffusers(both, sizes):
    theirs, ours = both
    expected = tiny_lora.reference_forward(theirs, **sizes)
    adapters = {k: p for k, p in theirs.named_parameters() if "lora_" in k}
    gradients = dict(
        zip(
            adapters,
            torch.autograd.grad(expected.square().mean(), adapters.values()),
            strict=True,
        )
    )
    graph, adapted, frozen = nnx.split(ours, nnx.LoRAParam, ...)

    def loss(adapted):
        out = nnx.merge(graph, adapted, frozen)(**tiny_lora.inputs(**sizes))
        return jnp.square(out).mean(), out

    (_, out), ours_gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(adapted)
    assert_equal(out, expected, 1e-5)
    blocks = ours_gradients["blocks"]
    for theirs_name, (attention, name) in {
        "attn1.to_q": ("attn1", "to_q"),
        "attn2.add_v_proj": ("attn2", "add_v_proj"),
        "ffn.net.2": ("ffn", "proj_out"),
    }.items():
        for layer in range(tiny_lora.CONFIG.layers):
            for part, key in (("lora_a", "lora_A"), ("lora_b", "lora_B")):
                gradient = gradients[f"blocks.{layer}.{theirs_name}.{key}.lora0.weight"]
                actual = blocks[attention][name][part][...][layer].T
                assert_equal(actual, gradient, 1e-4)


def test_only_the_adapters_are_parted_from_the_frozen_base(both):
    ours = both[1]
    trained = nnx.to_flat_state(nnx.state(ours, nnx.LoRAParam))
    frozen = nnx.to_flat_state(nnx.state(ours, _FROZEN))
    assert {path[-1] for path, _ in trained} == {"lora_a", "lora_b"}
    assert len(trained) == 2 * len(tiny_lora.NAMES)
    base = nnx.eval_shape(lambda: WanTransformer(tiny_lora.CONFIG, rngs=nnx.Rngs(0)))
    paths = {path for path, _ in nnx.to_flat_state(nnx.state(base))}
    assert {path for path, _ in frozen} == paths, "the base keeps its names"


def test_the_branches_of_a_model_are_those_attached_and_make_a_lora(both):
    branches = _branches(both[1])
    factors = lora.unstack(branches)
    assert len(factors) == tiny_lora.CONFIG.layers * len(tiny_lora.NAMES)
    again = lora.combine([(factors, 1.0)], lora.kernels(both[1]))
    jax.tree.map(np.testing.assert_array_equal, again, branches)


def test_fresh_adapters_change_nothing_until_they_are_trained():
    shapes = {"stack": (3, 5, 4), "one": (4, 6)}
    rng = np.random.default_rng(0)
    params = {
        name: {"kernel": jnp.asarray(rng.normal(size=shape), jnp.float32)}
        for name, shape in shapes.items()
    }
    branches = lora.init_branches(jax.random.key(0), shapes, rank=2)
    assert branches["stack"].a.shape == (3, 5, 2)
    assert float(jnp.abs(branches["one"].a).max()) > 0
    jax.tree.map(np.testing.assert_array_equal, lora.merge(params, branches), params)


def test_merging_adds_in_float32_and_keeps_the_dtype_and_the_input():
    kernel = jnp.full((2, 3, 3), 1, jnp.bfloat16)
    params = {"linear": {"kernel": kernel, "bias": jnp.zeros((2, 3))}}
    factors = {
        lora.Target("linear", 1): lora.Factors(np.ones((3, 2)), np.ones((2, 3)), 0.25, np.ones(3))
    }
    branches = lora.combine([(factors, 1.0), (factors, -3.0)], {"linear": (2, 3, 3)})
    merged = lora.merge(params, branches)["linear"]
    assert merged["kernel"].dtype == jnp.bfloat16
    np.testing.assert_array_equal(merged["kernel"][0], 1)
    np.testing.assert_array_equal(merged["kernel"][1], 1 - 2 * 0.5)
    np.testing.assert_array_equal(merged["bias"][1], -2)
    np.testing.assert_array_equal(params["linear"]["kernel"], kernel)


def test_branches_as_parameters_and_back():
    shapes = {"blocks/attn1/to_q": (2, 4, 3), "proj_out": (4, 6)}
    branches = lora.init_branches(jax.random.key(0), shapes, rank=2)
    tree = lora.as_tree(branches)
    assert tree["blocks"]["attn1"]["to_q"]["lora_a"].shape == (2, 4, 2)
    again = lora.from_tree(tree)
    assert again.keys() == branches.keys()
    jax.tree.map(np.testing.assert_array_equal, again, branches)


def test_adapters_join_the_parameters_of_their_layers(both):
    whole = nnx.to_pure_dict(nnx.state(both[1]))
    adapters = lora.as_tree(_branches(both[1]))
    frozen = nnx.to_pure_dict(nnx.state(both[1], _FROZEN))
    jax.tree.map(np.testing.assert_array_equal, lora.join_params(frozen, adapters), whole)
