"""The transformer against diffusers' WanTransformer3DModel on the same random weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from diffusers import WanTransformer3DModel
from flax import nnx

from painting_jax.models import layers
from painting_jax.models import tensor_names as rules
from painting_jax.models.remat import POLICIES
from painting_jax.models.wan import params as names
from painting_jax.models.wan import transformer as wan

TINY = wan.WanConfig(
    dim=48, layers=2, heads=4, ffn_dim=64, in_channels=8, out_channels=4, text_dim=32, freq_dim=64
)


def reference(config: wan.WanConfig) -> WanTransformer3DModel:
    torch.manual_seed(0)
    model = WanTransformer3DModel(
        patch_size=config.patch,
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        text_dim=config.text_dim,
        freq_dim=config.freq_dim,
        ffn_dim=config.ffn_dim,
        num_layers=config.layers,
        cross_attn_norm=True,
        image_dim=config.image_dim or None,
        added_kv_proj_dim=config.dim if config.image_dim else None,
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Norm weights and biases away from their neutral start, so that a missing one shows.
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def fresh(config: wan.WanConfig, remat: str = "full") -> wan.WanTransformer:
    # Compiled as a whole: one by one, the initialisers take half a minute.
    return nnx.jit(lambda: wan.WanTransformer(config, rngs=nnx.Rngs(0), remat=remat))()


@nnx.jit
def apply(model: wan.WanTransformer, arguments: dict):
    return model(**arguments)


def copy_weights(source: WanTransformer3DModel, config: wan.WanConfig) -> wan.WanTransformer:
    """Our model with diffusers' weights; every tensor and every parameter has its counterpart."""
    graph, state = nnx.split(nnx.eval_shape(lambda: wan.WanTransformer(config, rngs=nnx.Rngs(0))))
    empty = jax.tree.map(lambda x: np.full(x.shape, np.nan, np.float32), nnx.to_pure_dict(state))
    arrays = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(empty)
    }
    for name, tensor in source.state_dict().items():
        rule, slot = rules.place(names.DIFFUSERS, name)
        array = rules.TRANSFORMS[rule.transform].ours(tensor.numpy())
        place = arrays[slot.path] if slot.layer is None else arrays[slot.path][slot.layer]
        assert array.shape == place.shape, name
        place[...] = array
    assert not any(np.isnan(array).any() for array in arrays.values())
    nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, empty))
    return nnx.merge(graph, state)


@pytest.mark.parametrize(
    ("extent", "batch", "image"),
    [((3, 8, 12), 2, False), ((1, 4, 6), 1, True), ((5, 10, 4), 2, True)],
)
def test_equals_diffusers(extent, batch, image):
    config = dataclasses.replace(TINY, image_dim=20 if image else 0)
    theirs, ours = reference(config), None
    ours = copy_weights(theirs, config)
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(batch, *extent, config.in_channels)).astype(np.float32)
    text = rng.normal(size=(batch, 512 if image else 7, config.text_dim)).astype(np.float32)
    tokens = rng.normal(size=(batch, 257, config.image_dim)).astype(np.float32) if image else None
    timestep = np.linspace(13, 950, batch).astype(np.float32)
    with torch.no_grad():
        expected = theirs(
            hidden_states=torch.from_numpy(latents).permute(0, 4, 1, 2, 3),
            timestep=torch.from_numpy(timestep),
            encoder_hidden_states=torch.from_numpy(text),
            encoder_hidden_states_image=torch.from_numpy(tokens) if image else None,
        ).sample.permute(0, 2, 3, 4, 1)
    actual = apply(
        ours,
        {
            "latents_BTHWC": latents,
            "timestep_BF": timestep[:, None],
            "text_BLD": text,
            "image_BLD": tokens,
        },
    )
    scale = float(expected.abs().max())
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5 * scale, rtol=0)


def test_one_noise_level_a_frame_equals_diffusers_one_a_token():
    theirs, ours = reference(TINY), None
    ours = copy_weights(theirs, TINY)
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(2, 3, 4, 6, TINY.in_channels)).astype(np.float32)
    text = rng.normal(size=(2, 5, TINY.text_dim)).astype(np.float32)
    timestep_BT = np.array([[0, 400, 400], [0, 77, 77]], np.float32)
    with torch.no_grad():
        expected = theirs(
            hidden_states=torch.from_numpy(latents).permute(0, 4, 1, 2, 3),
            timestep=torch.from_numpy(timestep_BT.repeat(6, axis=1)),
            encoder_hidden_states=torch.from_numpy(text),
        ).sample.permute(0, 2, 3, 4, 1)
    actual = apply(ours, {"latents_BTHWC": latents, "timestep_BF": timestep_BT, "text_BLD": text})
    np.testing.assert_allclose(
        actual, expected.numpy(), atol=1e-5 * float(expected.abs().max()), rtol=0
    )


def painting_model(remat: str = "full") -> tuple[wan.WanTransformer, dict]:
    config = dataclasses.replace(TINY, media=3, segment_channels=2, progress=True)
    model = fresh(config, remat)
    rng = np.random.default_rng(2)
    arguments = {
        "latents_BTHWC": rng.normal(size=(2, 3, 4, 6, config.in_channels)).astype(np.float32),
        "timestep_BF": np.array([[300.0], [700.0]], np.float32),
        "text_BLD": rng.normal(size=(2, 4, config.text_dim)).astype(np.float32),
    }
    return model, arguments


def conditions() -> dict:
    return {
        "medium_BM": np.eye(3, dtype=np.float32)[:2],
        "segments_BHWC": np.ones((2, 4, 6, 2), np.float32),
        "progress_BT": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    }


def test_what_painting_adds_starts_as_a_no_op():
    model, arguments = painting_model()
    plain, steered = apply(model, arguments), apply(model, arguments | conditions())
    np.testing.assert_array_equal(plain, steered)


def test_what_painting_adds_receives_gradients():
    model, arguments = painting_model()

    def loss(model):
        return jnp.square(model(**arguments, **conditions()) - 1).mean()

    gradients = nnx.jit(nnx.grad(loss))(model)
    attention = gradients.blocks.attn2
    for gradient in (
        gradients.segment_embedding.kernel,
        gradients.condition_embedder.progress_embedder.linear_2.kernel,
        attention.medium_v_proj.kernel,
    ):
        assert float(jnp.abs(gradient[...]).max()) > 0


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "none"])
def test_rematerialisation_changes_no_gradient(name):
    def gradients(remat):
        model, arguments = painting_model(remat)
        return nnx.jit(nnx.grad(lambda model: jnp.square(model(**arguments)).mean()))(model)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradients(name), gradients("none")
    )


def test_compiled_size_does_not_grow_with_depth():
    def hlo_lines(layers):
        config = dataclasses.replace(TINY, layers=layers)
        model = nnx.eval_shape(lambda: wan.WanTransformer(config, rngs=nnx.Rngs(0)))
        graph, state = nnx.split(model)
        _, arguments = painting_model()
        forward = jax.jit(lambda state, arguments: nnx.merge(graph, state)(**arguments))
        return forward.lower(state, arguments).as_text().count("\n")

    assert hlo_lines(2) == hlo_lines(7)


def test_unpatchify_inverts_patchify():
    video = np.random.default_rng(0).normal(size=(2, 4, 6, 8, 3)).astype(np.float32)
    patches = layers.patchify(video, (2, 3, 4))
    assert patches.shape == (2, 2, 2, 2, 72)
    np.testing.assert_array_equal(layers.unpatchify(patches, (2, 3, 4)), video)


def test_the_modulation_is_float32_where_the_model_computes_in_bfloat16():
    """As in Wan and, up to its rounding of what it hands on, in diffusers."""
    theirs = reference(TINY).to(torch.bfloat16)
    theirs.condition_embedder.time_embedder.float()  # which diffusers keeps in float32
    precise = copy_weights(theirs.float(), TINY)
    shapes = nnx.eval_shape(lambda: wan.WanTransformer(TINY, rngs=nnx.Rngs(0), dtype=jnp.bfloat16))
    half = nnx.merge(nnx.graphdef(shapes), nnx.state(precise))
    timestep_BF = np.linspace(1, 999, 50, dtype=np.float32)[:, None]
    # The weights are those of bfloat16 in both: what differs is the computation.
    expected = precise.condition_embedder.time(timestep_BF, None, None)
    actual = half.condition_embedder.time(timestep_BF, None, None)
    for ours, exact in zip(actual, expected, strict=True):
        assert ours.dtype == jnp.float32
        scale = float(jnp.abs(exact).max())
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-6 * scale)
    theirs = theirs.to(torch.bfloat16)
    theirs.condition_embedder.time_embedder.float()
    text = torch.zeros(50, 1, TINY.text_dim, dtype=torch.bfloat16)
    with torch.no_grad():
        time_BD, modulation_BD, *_ = theirs.condition_embedder(
            torch.from_numpy(timestep_BF[:, 0]), text
        )
    assert time_BD.dtype == torch.bfloat16
    # Their embedding is this one, rounded.
    rounded = np.asarray(actual[0][:, 0].astype(jnp.bfloat16), np.float32)
    off = np.abs(time_BD.float().numpy() - rounded)
    assert (off <= 2**-7 * np.abs(rounded) + 1e-5).all()
    assert (off == 0).mean() > 0.99
    modulation = np.asarray(actual[1]).reshape(50, -1)
    error = np.abs(modulation_BD.float().numpy() - modulation).max() / np.abs(modulation).max()
    assert error < 2**-6
