"""The optimizer against its formulas in numpy, and what its weight decay applies to."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from ml_collections import ConfigDict

from painting_jax.models import layers, lora
from painting_jax.models.wan import transformer as wan
from painting_jax.sharding.attention import FASTEST
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training.optimizer import decay_mask, learning_rate, make_optimizer
from tests.training import formulas

STEPS = 12


def experiment(**fields) -> ConfigDict:
    """A config whose decay is so strong that a wrong mask shows."""
    optimizer = {
        "learning_rate": 0.1,
        "warmup_steps": 3,
        "end_learning_rate_fraction": 0.2,
        "b1": 0.8,
        "b2": 0.95,
        "weight_decay": 0.5,
        "clip_norm": 1.0,
        "momentum_dtype": "float32",
    }
    return ConfigDict({"steps": STEPS, "optimizer": optimizer | fields})


@pytest.mark.parametrize(("warmup", "taken"), [(3, 3), (0, 0), (1, 1), (6, 6), (100, 6)])
def test_learning_rate_is_a_linear_warmup_then_a_cosine(warmup, taken):
    schedule = learning_rate(experiment(warmup_steps=warmup))
    rates = [float(schedule(step)) for step in range(STEPS + 3)]
    expected = [
        formulas.learning_rate(step, peak=0.1, warmup=taken, steps=STEPS, final=0.2)
        for step in range(STEPS + 3)
    ]
    # The cosine is computed in float32, and its end is a fifth of its start.
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    # No step has a learning rate of 0: the first one changes the parameters, too.
    assert rates[0] == pytest.approx(0.1 / max(taken, 1))
    assert max(rates) == pytest.approx(rates[taken]) == pytest.approx(0.1)
    assert rates[STEPS] == rates[-1] == pytest.approx(0.02)


def test_a_run_of_one_step_has_the_full_learning_rate():
    config = experiment()
    config.steps = 1
    assert float(learning_rate(config)(0)) == pytest.approx(0.1)


DECAYED = ("blocks/proj/kernel", "head/kernel", "token_table")


def draw(rng: np.random.Generator, size: float) -> dict:
    """A tree of parameters, in part of stacked layers, with values of this size."""

    def normal(*shape):
        return (size * rng.normal(size=shape)).astype(np.float32)

    return {
        "blocks": {
            "proj": {"kernel": normal(2, 3, 4), "bias": normal(2, 4)},
            "norm": {"scale": normal(2, 3)},
            "scale_shift_table": normal(2, 6, 4),
        },
        "head": {"kernel": normal(4, 3), "bias": normal(3)},
        "token_table": normal(5, 3),
    }


@pytest.mark.parametrize("clip", [1.0, 1e9], ids=["clipped", "not clipped"])
def test_updates_are_those_of_adamw(clip):
    rng = np.random.default_rng(0)
    params = draw(rng, 1.0)
    # Adam forgets the scale of gradients that are all clipped: every second is too small for it.
    gradients = [draw(rng, (3.0, 0.01)[step % 2]) for step in range(STEPS)]
    for gradient in gradients:
        gradient["head"]["bias"] *= 1e-9  # as small as Adam's eps
    norms = [formulas.global_norm(formulas.flat(gradient)) for gradient in gradients]
    assert min(norms) < 1 < max(norms) < 1e9

    optimizer = make_optimizer(experiment(clip_norm=clip))
    update = jax.jit(optimizer.update)
    state = optimizer.init(params)
    expected = formulas.AdamW(formulas.flat(params), b1=0.8, b2=0.95, decay=0.5, decayed=DECAYED)
    for step, gradient in enumerate(gradients):
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        expected.step(
            formulas.clipped(formulas.flat(gradient), clip),
            formulas.learning_rate(step, peak=0.1, warmup=3, steps=STEPS, final=0.2),
        )
        for name, value in formulas.flat(params).items():
            # A step is 0.1 at most, of values around 1, in float32.
            np.testing.assert_allclose(
                value, expected.params[name], rtol=1e-5, atol=2e-6, err_msg=f"{name}, step {step}"
            )
        for name, value in formulas.flat(optax.tree.get(state, "mu")).items():
            np.testing.assert_allclose(value, expected.mu[name], rtol=1e-5, atol=1e-6 * norms[0])


def shapes_of(make) -> dict:
    return nnx.to_pure_dict(nnx.state(nnx.eval_shape(make), nnx.Param))


def listed(mask: dict) -> dict[str, bool]:
    return {name: bool(value) for name, value in formulas.flat(mask).items()}


def expected_mask(linear: list[str], *, decayed: list[str], others: list[str]) -> dict[str, bool]:
    """By path: of linear layers the kernels are decayed and the biases are not."""
    return (
        {f"{layer}/kernel": True for layer in linear}
        | {f"{layer}/bias": False for layer in linear}
        | dict.fromkeys(decayed, True)
        | dict.fromkeys(others, False)
    )


def under(prefix: str, *names: str) -> list[str]:
    return [f"{prefix}/{name}" for name in names]


ATTENTION = ("to_q", "to_k", "to_v", "to_out")
MLP = ("linear_1", "linear_2")


def test_what_is_decayed_of_the_demo_model(tiny):
    params = jax.eval_shape(FromScratch(tiny).init_params)
    blocks = "transformer/blocks"
    embedder = "transformer/condition_embedder"
    assert listed(decay_mask(params)) == expected_mask(
        [
            *under("pixel_head", "gates", "shares", "palette", "direction"),
            *under("pixel_head/manner", *MLP),
            *under("transformer", "patch_embedding", "segment_embedding"),
            *under(f"{embedder}/time_embedder", *MLP),
            f"{embedder}/time_proj",
            *under(f"{embedder}/text_embedder", *MLP),
            *under(f"{embedder}/progress_embedder", *MLP),
            *under(f"{embedder}/summary_embedder", *MLP),
            *under(f"{blocks}/attn1", *ATTENTION),
            *under(f"{blocks}/attn2", *ATTENTION, "medium_k_proj", "medium_v_proj"),
            *under(f"{blocks}/ffn", "proj_in", "proj_out"),
        ],
        decayed=["token_table", "transformer/medium_table"],
        others=[
            *under(f"{blocks}/attn1", "norm_q/scale", "norm_k/scale"),
            *under(f"{blocks}/attn2", "norm_q/scale", "norm_k/scale", "norm_medium_k/scale"),
            *under(f"{blocks}/norm2", "scale", "bias"),
            f"{blocks}/scale_shift_table",
            "transformer/scale_shift_table",
        ],
    )


TINY_WAN = wan.WanConfig(
    dim=24,
    layers=2,
    heads=2,
    ffn_dim=32,
    in_channels=4,
    out_channels=4,
    text_dim=16,
    image_dim=8,
    freq_dim=32,
)


def test_what_is_decayed_of_wan():
    params = shapes_of(lambda: wan.WanTransformer(TINY_WAN, rngs=nnx.Rngs(0)))
    embedder = "condition_embedder"
    assert listed(decay_mask(params)) == expected_mask(
        [
            "patch_embedding",
            *under(f"{embedder}/time_embedder", *MLP),
            f"{embedder}/time_proj",
            *under(f"{embedder}/text_embedder", *MLP),
            *under(f"{embedder}/image_embedder/ff", "proj_in", "proj_out"),
            *under("blocks/attn1", *ATTENTION),
            *under("blocks/attn2", *ATTENTION, "add_k_proj", "add_v_proj"),
            *under("blocks/ffn", "proj_in", "proj_out"),
            "proj_out",
        ],
        decayed=[],
        others=[
            *under(f"{embedder}/image_embedder/norm1", "scale", "bias"),
            *under(f"{embedder}/image_embedder/norm2", "scale", "bias"),
            *under("blocks/attn1", "norm_q/scale", "norm_k/scale"),
            *under("blocks/attn2", "norm_q/scale", "norm_k/scale", "norm_added_k/scale"),
            *under("blocks/norm2", "scale", "bias"),
            "blocks/scale_shift_table",
            "scale_shift_table",
        ],
    )


def test_what_is_decayed_of_a_lora():
    branch = lora.Branch(jnp.ones((2, 6, 3)), jnp.ones((2, 3, 4)), jnp.ones((2, 4)))
    mask = decay_mask(lora.as_tree({"blocks/attn1/to_q": branch}))
    assert listed(mask) == {
        "blocks/attn1/to_q/lora_a": True,
        "blocks/attn1/to_q/lora_b": True,
        "blocks/attn1/to_q/lora_bias": False,
    }


def test_a_stacked_layer_is_decayed_as_a_single_one_is():
    settings = {"dtype": jnp.float32, "strategy": FASTEST}
    stacked, single = (
        shapes_of(lambda make=make: make(wan.Block, TINY_WAN, rngs=nnx.Rngs(0), **settings))
        for make in (layers.stack, lambda block, *args, **kwargs: block(*args, **kwargs))
    )
    assert [leaf.ndim for leaf in jax.tree.leaves(stacked)] == [
        1 + leaf.ndim for leaf in jax.tree.leaves(single)
    ]
    assert decay_mask(stacked) == decay_mask(single)

    stacked, single = (
        lora.as_tree(lora.init_branches(jax.random.key(0), {"to_q": shape}, rank=3))
        for shape in ((2, 6, 4), (6, 4))
    )
    assert decay_mask(stacked) == decay_mask(single)


def test_a_parameter_of_an_unknown_name_is_refused():
    params = {"blocks": {"temperature": jnp.ones((2, 3)), "proj": {"kernel": jnp.ones((2, 3, 3))}}}
    with pytest.raises(ValueError, match=r"add 'temperature' to WEIGHT_DECAY.*blocks/temperature"):
        decay_mask(params)
    with pytest.raises(ValueError, match="temperature"):
        make_optimizer(experiment()).init(params)


def test_the_first_moment_alone_takes_the_dtype_that_is_asked_for():
    params = {"head": {"kernel": jnp.ones((3, 2))}}
    gradients = {"head": {"kernel": jnp.full((3, 2), 0.3)}}
    made = {}
    for dtype in ("float32", "bfloat16"):
        optimizer = make_optimizer(experiment(momentum_dtype=dtype))
        state = optimizer.init(params)
        for _ in range(STEPS):
            updates, state = optimizer.update(gradients, state, params)
        [adam] = [one for one in jax.tree.leaves(state, is_leaf=_is_adam) if _is_adam(one)]
        assert adam.mu["head"]["kernel"].dtype == dtype
        assert adam.nu["head"]["kernel"].dtype == "float32"
        made[dtype] = updates["head"]["kernel"]
    # Eight bits of mantissa.
    np.testing.assert_allclose(made["bfloat16"], made["float32"], rtol=2**-7)


def _is_adam(one) -> bool:
    return isinstance(one, optax.ScaleByAdamState)
