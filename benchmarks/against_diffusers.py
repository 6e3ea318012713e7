"""Compares Wan's transformer and autoencoder with diffusers', on the same CPU and weights.

Both alternate in one process, so that other load on the machine affects both equally.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from flax import nnx

from benchmarks.timing import Row, number, seconds
from painting_jax.checkpoints.load import load_params
from painting_jax.checkpoints.source import open_source
from painting_jax.models.wan import params as wan
from painting_jax.models.wan import vae_params as wan_vae
from painting_jax.models.wan.params import diffusers_config
from painting_jax.models.wan.transformer import WanConfig, WanTransformer
from painting_jax.models.wan.vae import SIZES, WanVAE, WanVAEConfig
from painting_jax.sharding.mesh import make_mesh

_TOLERANCE = 1e-4  # maximum difference, relative to the largest value
_TEXT = 512
_CLIP, _RATE, _DECAY = 1.0, 1e-5, 0.01


class Steps(NamedTuple):
    """Sizes of measured training steps.

    Attributes:
      name: Name of the model.
      config: Config of the transformer.
      latents: Number of videos, frames, height and width of the latents.
      text: Number of text tokens.
    """

    name: str
    config: WanConfig
    latents: tuple[int, int, int, int]
    text: int


class Setting(NamedTuple):
    """Sizes of the measured models and inputs.

    Attributes:
      transformer: Config of the transformer.
      latents: Number of frames, height and width of the transformer's latents.
      steps: Sizes of the measured training steps.
      vae: Config of the autoencoder.
      video: Number of frames, height and width of the video that is encoded and decoded.
    """

    transformer: WanConfig
    latents: tuple[int, int, int]
    steps: tuple[Steps, ...]
    vae: WanVAEConfig
    video: tuple[int, int, int]


# Head size, text and autoencoder of the published models, with width and depth reduced for a CPU.
_WIDE = WanConfig(512, 8, 4, 2048, in_channels=16, out_channels=16)
SETTING = Setting(
    _WIDE,
    (3, 30, 52),
    (
        # Patches of 16x16 pixels are 2x2 latents here, as Wan's weights have them.
        Steps(
            "the demo's sizes",
            WanConfig(128, 3, 4, 512, in_channels=192, out_channels=192, text_dim=64),
            (4, 9, 8, 8),
            24,
        ),
        Steps("50 M parameters", dataclasses.replace(_WIDE, layers=11), (1, 3, 30, 52), _TEXT),
    ),
    SIZES["wan21"],
    (9, 64, 64),
)  # fmt: skip


class Contest(NamedTuple):
    """The same computation in both implementations. Both functions return the same array.

    Attributes:
      what: Name of the computation.
      ours: Runs our implementation.
      theirs: Runs the other implementation.
      note: Remark for the table.
    """

    what: str
    ours: Callable[[], np.ndarray]
    theirs: Callable[[], np.ndarray]
    note: str


def measure(setting: Setting, runs: int, tell: Callable[[str], None]) -> list[Row]:
    """Seconds of both implementations, and the ratio of each pair of runs.

    Args:
      setting: Sizes of models and inputs.
      runs: Number of runs of each.
      tell: Called with the name of each measurement.

    Raises:
      AssertionError: If the results of both differ.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows = []
    for make in (_transformer, _training, _autoencoder):
        for contest in make(setting):
            tell(contest.what)
            rows += _contested(contest, runs)
    return rows


def _contested(contest: Contest, runs: int) -> list[Row]:
    # The first runs compile, and check that both results are equal.
    ours, theirs = contest.ours(), contest.theirs()
    difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
    assert difference < _TOLERANCE, f"{contest.what}: numbers differ by {difference:.1e}"
    times = [(seconds(contest.ours), seconds(contest.theirs)) for _ in range(runs)]
    ours, theirs = zip(*times, strict=True)
    note = f"{contest.note}; numbers differ by {number(difference)} of the largest"
    return [
        Row(f"{contest.what}, ours", "s", ours),
        Row(f"{contest.what}, diffusers", "s", theirs),
        Row(f"{contest.what}, ours / diffusers", "", [a / b for a, b in times], note),
    ]


def _transformer(setting: Setting) -> list[Contest]:
    config = setting.transformer
    torch.manual_seed(0)
    theirs = WanTransformer3DModel.from_config(diffusers_config(config)).eval()
    graph, params = _same(
        lambda: WanTransformer(config, rngs=nnx.Rngs(0), remat="none"), theirs, wan.RULES
    )
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(1, *setting.latents, config.in_channels)).astype(np.float32)
    text = rng.normal(size=(1, _TEXT, config.text_dim)).astype(np.float32)
    timestep = np.float32([500])
    # Passed as arguments, so that the compiler cannot fold them as constants.
    inputs = tuple(map(jnp.asarray, (latents, timestep[:, None], text)))

    def ours_of(params, latents, timestep, text):
        return nnx.merge(graph, params)(latents, timestep, text)

    forward = jax.jit(ours_of)
    backward = jax.jit(
        jax.grad(lambda *given: jnp.square(ours_of(*given)).mean(), argnums=(0, 1)),
    )
    their_latents, their_text = _channels_first(latents), torch.from_numpy(text)

    def theirs_of(latents: torch.Tensor) -> torch.Tensor:
        return theirs(latents, torch.from_numpy(timestep), their_text, return_dict=False)[0]

    def their_forward() -> np.ndarray:
        with torch.no_grad():
            return _channels_last(theirs_of(their_latents))

    def their_backward() -> np.ndarray:
        theirs.zero_grad()
        latents = their_latents.clone().requires_grad_()
        theirs_of(latents).square().mean().backward()
        return _channels_last(latents.grad)

    tokens = int(np.prod([n // p for n, p in zip(setting.latents, config.patch, strict=True)]))
    note = f"width {config.dim}, {config.layers} layers, {tokens} tokens, float32"
    return [
        Contest(
            "transformer, forward",
            lambda: np.asarray(forward(params, *inputs)),
            their_forward,
            note,
        ),
        Contest(
            "transformer, forward and backward",
            lambda: np.asarray(jax.block_until_ready(backward(params, *inputs))[1]),
            their_backward,
            f"{note}, gradients of all parameters and of the latents",
        ),
    ]


def _training(setting: Setting) -> Iterator[Contest]:
    for steps in setting.steps:
        yield _step(steps)


def _step(steps: Steps) -> Contest:
    """A step of AdamW with clipping, from the same weights on the same batch."""
    config = steps.config
    torch.manual_seed(0)
    theirs = WanTransformer3DModel.from_config(diffusers_config(config))
    graph, params = _same(
        lambda: WanTransformer(config, rngs=nnx.Rngs(0), remat="none"), theirs, wan.RULES
    )
    rng = np.random.default_rng(0)
    batch = steps.latents[0]
    latents, target = (
        rng.normal(size=(*steps.latents, config.in_channels)).astype(np.float32) for _ in range(2)
    )
    text = rng.normal(size=(batch, steps.text, config.text_dim)).astype(np.float32)
    timestep = np.full(batch, 500, np.float32)
    optimizer = optax.chain(
        optax.clip_by_global_norm(_CLIP), optax.adamw(_RATE, weight_decay=_DECAY)
    )

    def loss(params, latents, timestep, text, target):
        return jnp.square(nnx.merge(graph, params)(latents, timestep, text) - target).mean()

    def step(params, state, *given):
        value, gradient = jax.value_and_grad(loss)(params, *given)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    jitted = jax.jit(step, donate_argnums=(0, 1))
    # On no mesh, as the step returns them: it would compile again for its own results.
    params = jax.tree.map(jnp.asarray, jax.device_get(params))
    held = [params, jax.jit(optimizer.init)(params)]
    given = tuple(map(jnp.asarray, (latents, timestep[:, None], text, target)))

    def ours() -> np.ndarray:
        *held[:], value = jitted(*held, *given)
        return np.asarray(jax.block_until_ready((held, value))[1])

    their_optimizer = torch.optim.AdamW(theirs.parameters(), lr=_RATE, weight_decay=_DECAY)
    their_latents, their_target = _channels_first(latents), _channels_first(target)
    their_timestep, their_text = torch.from_numpy(timestep), torch.from_numpy(text)

    def their_step() -> np.ndarray:
        out = theirs(their_latents, their_timestep, their_text, return_dict=False)[0]
        value = torch.nn.functional.mse_loss(out, their_target)
        value.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), _CLIP)
        their_optimizer.step()
        their_optimizer.zero_grad()
        return value.detach().numpy()

    count = sum(parameter.numel() for parameter in theirs.parameters())
    note = f"{count / 1e6:.1f} M parameters, batch {batch}, AdamW, float32"
    return Contest(f"training step, {steps.name}", ours, their_step, note)


def _autoencoder(setting: Setting) -> list[Contest]:
    config = setting.vae
    torch.manual_seed(0)
    theirs = AutoencoderKLWan.from_config(wan_vae.diffusers_config(config)).eval()
    graph, params = _same(lambda: WanVAE(config), theirs, wan_vae.tables(config))
    rng = np.random.default_rng(0)
    video = rng.uniform(-1, 1, (1, *setting.video, 3)).astype(np.float32)
    encode = jax.jit(lambda params, x: nnx.merge(graph, params).moments(x)[0])
    decode = jax.jit(lambda params, z: nnx.merge(graph, params).decode(z))
    latents = np.asarray(jax.eval_shape(encode, params, video).shape)
    latents = rng.normal(size=latents).astype(np.float32)
    their_video = _channels_first(video)
    their_latents = _channels_first(latents * config.latents_std + config.latents_mean)

    def their_encode() -> np.ndarray:
        with torch.no_grad():
            return _channels_last(theirs.encode(their_video).latent_dist.mode())

    def their_decode() -> np.ndarray:
        with torch.no_grad():
            return _channels_last(theirs.decode(their_latents).sample)

    frames, height, width = setting.video
    note = f"{frames} frames of {height}x{width}, width {config.encoder_dim}, float32"
    return [
        Contest("VAE, encode", lambda: np.asarray(encode(params, video)), their_encode, note),
        Contest("VAE, decode", lambda: np.asarray(decode(params, latents)), their_decode, note),
    ]


def _same(make_model: Callable[[], nnx.Module], theirs: torch.nn.Module, tables) -> tuple[Any, Any]:
    """Graph and parameters of our model with their weights, loaded from a folder on disk."""
    mesh = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        theirs.save_pretrained(pathlib.Path(folder))
        model = nnx.eval_shape(make_model)
        params = load_params(model, open_source(folder), tables, mesh=mesh, progress=False)
    return nnx.graphdef(model), nnx.State(params)


def _channels_first(x_BTHWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x_BTHWC.astype(np.float32)).permute(0, 4, 1, 2, 3).contiguous()


def _channels_last(x_BCTHW: torch.Tensor) -> np.ndarray:
    return x_BCTHW.permute(0, 2, 3, 4, 1).numpy()
