"""The one sampling driver: conditions and noise to latents, and their video, for every model.

Contact sheets of a training, `evaluate` on a run, and `generate` with a run or with published
weights all sample here. One compiled program takes any number of steps: all of them at once, or one
after the other where progress is shown.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, Sharding
from jaxtyping import Array, Bool, Float, Int, UInt8

from painting_jax.diffusion import given_latents
from painting_jax.diffusion.given_latents import GivenLatents
from painting_jax.diffusion.model_velocity import (
    guided_velocity,
    residual_shapes,
)
from painting_jax.diffusion.reverse_painting import LATENTS, encoded, reverse
from painting_jax.diffusion.samplers import Sampler, make_sampler
from painting_jax.diffusion.step_cache import Kept, StepCache
from painting_jax.errors import UserError
from painting_jax.models.codec import to_float, to_uint8
from painting_jax.models.family import VideoModel, negative_conditions
from painting_jax.sharding.rules import batch_sharding, constrain, replicated

# A transformer: graph and parameters, for `nnx.merge`.
Network = tuple[Any, dict]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How a model is sampled.

    Attributes:
      sampler: A key of `samplers.SAMPLERS`.
      steps: Number of sampling steps.
      shift: Time shift of the noise levels.
      guidance: Scale of classifier-free guidance for each expert; 1 = none.
      guide_on: Names of the conditions that guidance acts on.
      sequential: Whether guidance is evaluated sequentially, see `classifier_free_guidance`.
      boundary: Noise level below which the second of two experts takes over.
      seed: Seed of the fresh noise of samplers that add some.
    """

    sampler: str
    steps: int
    shift: float
    guidance: tuple[float, ...]
    guide_on: tuple[str, ...]
    sequential: bool = False
    boundary: float | None = None
    seed: int = 0

    def make_sampler(self) -> Sampler:
        """The sampler; errors as in `samplers.make_sampler`."""
        return make_sampler(self.sampler, self.steps, self.shift, self.seed)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sample:
    """A batch on its way from noise to latents. Arrays may be on the host.

    Attributes:
      conditions: Conditions of the model.
      negative: Conditions that guidance leads away from.
      state: State of the sampler; latents in the end.
      given: Latents that are known already; None = none.
      skipped: Number of steps that the step cache has skipped.
    """

    conditions: Any
    negative: Any
    state: Any
    given: GivenLatents | None = None
    skipped: int = dataclasses.field(default=0, metadata={"static": True})


def prepare(
    model: VideoModel, frozen: dict, batch: dict[str, Array], sampling: Sampling, mesh: Mesh
) -> Sample:
    """Conditions and initial noise of a batch.

    Args:
      model: Model that paints.
      frozen: Parameters of its encoders, see `VideoModel.encoders`.
      batch: The model's conditions as in `data.pipeline`, with reference_BHWC, progress_BT (its
        number of frames is the process's) and seed_B, the seed of each picture's noise; or with
        what was encoded beforehand in the place of pictures and progress. Optional:
        noise_BTHWC to start from instead, negative_text_BLD to guide away from, and
        going_on_BHWC, a canvas that the process goes on from, of any model with a codec.
      sampling: How it is sampled.
      mesh: Mesh that the parameters are laid out on.
    """
    batch = on_mesh(batch, mesh)
    with jax.set_mesh(mesh):
        conditions, negative, noise_BTHWC, given = _prepare(model, sampling.guide_on, frozen, batch)
    return Sample(conditions, negative, sampling.make_sampler().start(noise_BTHWC), given)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _prepare(model: VideoModel, guide_on: tuple[str, ...], frozen: dict, batch: dict):
    family, encoders = model.family, model.encoders(frozen)
    if LATENTS in batch:
        clean_BTHWC, conditions = encoded(batch, model)
        shape = clean_BTHWC.shape[1:]
    else:
        reference_BHWC = to_float(batch["reference_BHWC"])
        conditions = family.condition(model.config, encoders, batch, reference_BHWC)
        frames, sides = batch["progress_BT"].shape[1], reference_BHWC.shape[1:3]
        shape = latents_shape(model, frames + model.conditioning_frames, *sides)
    if "negative_text_BLD" in batch:
        encoders = dataclasses.replace(encoders, empty_text_LD=batch["negative_text_BLD"])
    negative = negative_conditions(family, conditions, guide_on, encoders)
    noise_BTHWC = batch.get("noise_BTHWC")
    if noise_BTHWC is None:
        noise_BTHWC = jax.vmap(lambda seed: jax.random.normal(jax.random.key(seed), shape))(
            batch["seed_B"]
        )
    given = None
    if "going_on_BHWC" in batch:
        canvas_BHWC = to_float(batch["going_on_BHWC"])
        given = given_latents.canvas(encoders.codec, canvas_BHWC, shape[0])
    noise_BTHWC = family.restore_conditioning_frames(noise_BTHWC, conditions)
    return conditions, negative, noise_BTHWC, given


def latents_shape(
    model: VideoModel, frames: int, height: int, width: int
) -> tuple[int, int, int, int]:
    """T, H, W, C of the latents of a video of that many frames."""
    codec = model.codec
    length = 1 + (frames - 1) // codec.temporal
    return length, height // codec.spatial, width // codec.spatial, codec.channels


def denoise(
    model: VideoModel,
    networks: Sequence[Callable[[], Network]],
    samples: Iterable[Sample],
    sampling: Sampling,
    mesh: Mesh,
    *,
    cache: StepCache | None = None,
    on_step: Callable[[], object] | None = None,
    but_last: bool = False,
) -> Iterator[Sample]:
    """Takes the steps of the sampler for each sample, and yields it.

    Only one transformer is held at a time: all samples pass the first expert before the second is
    loaded, and wait on the host meanwhile.

    Args:
      model: Model that paints.
      networks: Loads each transformer, in sampling order.
      samples: Samples to denoise.
      sampling: How they are sampled.
      mesh: Mesh that the parameters are laid out on.
      cache: Step cache that skips steps, and says how many each sample skipped when it is yielded;
        None computes all.
      on_step: Called after each step; None takes all steps of a transformer at once, which is
        faster for small models.
      but_last: Whether the last step is left out, for a network that makes the video in it.

    Raises:
      UserError: If a step gives latents that are not finite.
    """
    sampler = sampling.make_sampler()
    taken = len(sampler.timesteps) - but_last
    stages = [
        _Stage(expert, steps[: max(0, taken - steps.start)], None if scale == 1 else scale)
        for expert, (steps, scale) in enumerate(
            zip(sampler.expert_steps(sampling.boundary), sampling.guidance, strict=True)
        )
        if steps and steps.start < taken
    ]
    if not stages:
        for sample in samples:
            yield dataclasses.replace(sample, state=sampler.sample(sample.state))
    for stage in stages:
        network = networks[stage.expert]()
        advanced = (
            _take(model, network, sampler, sample, stage, sampling.sequential, mesh, cache, on_step)
            for sample in samples
        )
        if stage is stages[-1]:
            for sample in advanced:
                if cache:
                    cache.skipped = sample.skipped
                yield dataclasses.replace(sample, state=sampler.sample(sample.state))
        else:
            samples = [jax.tree.map(np.asarray, sample) for sample in advanced]
        del network, advanced


class _Stage(NamedTuple):
    """The steps that one transformer takes, and its scale of guidance; None = none."""

    expert: int
    steps: range
    scale: float | None

    @property
    def passes(self) -> int:
        return 1 if self.scale is None else 2


def _take(
    model: VideoModel,
    network: Network,
    sampler: Sampler,
    sample: Sample,
    stage: _Stage,
    sequential: bool,
    mesh: Mesh,
    cache: StepCache | None,
    on_step: Callable[[], object] | None,
) -> Sample:
    """Takes the steps of one transformer."""
    graph, params = network
    sample = on_mesh(sample, mesh)
    state, table = sample.state, sampler.padded_steps()
    steps, scale = stage.steps, stage.scale
    timesteps_N = sampler.timesteps[steps.start : steps.stop]
    skip_N, kept = None, None
    if cache:
        to_skip_N = cache.to_skip(stage.expert, timesteps_N, stage.passes)
        # A sampling that skips nothing and measures nothing is the plain one.
        if to_skip_N is None or to_skip_N.any():
            skip_N = np.zeros(len(table.timestep), bool)
            skip_N[steps.start : steps.stop] = False if to_skip_N is None else to_skip_N
            with jax.set_mesh(mesh):
                latents = sampler.sample(state)
                kept = _nothing_kept(
                    model, graph, stage.passes, len(skip_N), params, latents, sample.conditions
                )
    for first in steps if on_step else steps[:1]:
        end = first + 1 if on_step else steps.stop
        with jax.set_mesh(mesh):
            state, kept, wrong = _advance(
                model,
                graph,
                (sampler.advance, sampler.sample),
                sequential,
                _placement(state, mesh),
                params,
                state,
                kept,
                skip_N,
                table,
                (np.int32(first), np.int32(end)),
                sample.conditions,
                sample.negative,
                sample.given,
                None if scale is None else np.float32(scale),
            )
        if (index := int(np.asarray(wrong))) < end:
            raise UserError(
                f"step {index + 1} of the sampler gave numbers that are not finite: paint with "
                "--dtype=float32, or without a LoRA or a file that may be damaged"
            )
        if on_step:
            on_step()
    if kept is not None and to_skip_N is None:
        log_ratios_NP = np.asarray(kept.log_ratios_NP)[steps.start : steps.stop]
        cache.measured(stage.expert, timesteps_N, log_ratios_NP)
    skipped = sample.skipped if skip_N is None else sample.skipped + int(skip_N.sum())
    return dataclasses.replace(sample, state=state, skipped=skipped)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _nothing_kept(
    model: VideoModel, graph, passes: int, steps: int, params: dict, latents, conditions
) -> Kept | None:
    """What is kept before the first step; None for a network of which no step can be skipped."""
    shapes = residual_shapes(model, nnx.merge(graph, params), latents, conditions, passes)
    return None if None in shapes else _constrained(Kept.nothing(shapes, steps))


def _constrained(kept: Kept) -> Kept:
    """Laid out as tokens, so that all calls share one program."""
    residuals = tuple(constrain(residual, "tokens") for residual in kept.residuals)
    return dataclasses.replace(kept, residuals=residuals)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _advance(
    model: VideoModel,
    graph,
    sampler: tuple[Callable, Callable],
    sequential: bool,
    placement: Sharding,
    params: dict,
    state,
    kept: Kept | None,
    skip_N: Bool[Array, " n"] | None,
    table,
    span: tuple[Int[Array, ""], Int[Array, ""]],
    conditions,
    negative,
    given: GivenLatents | None,
    scale: Float[Array, ""] | None,
):
    """The state after the steps of a span, what is kept, and its first step that was not finite.

    The last is the end of the span if all were.
    """
    advance, latents = sampler
    network = nnx.merge(graph, params)

    def take(index, carry):
        state, kept, wrong = carry
        step = jax.tree.map(lambda x: x[index], table)
        noisy = latents(state)
        inputs = (model, network, noisy, step.sigma, step.timestep, conditions, negative, scale)
        if kept is None:
            velocity, _ = guided_velocity(*inputs, sequential=sequential)
        else:
            velocity, residuals = guided_velocity(
                *inputs, skip=skip_N[index], residuals=kept.residuals, sequential=sequential
            )
            kept = kept.after(index, residuals)
        if given is not None:
            velocity = given.held(velocity, noisy, step.sigma)
        state = advance(velocity, state, step)
        finite = jnp.isfinite(latents(state)).all()
        return state, kept, jnp.where(finite, wrong, jnp.minimum(wrong, index))

    state, kept, wrong = jax.lax.fori_loop(*span, take, (state, kept, span[1]))
    # The same placement before and after, so that all calls share one program.
    state = jax.lax.with_sharding_constraint(state, placement)
    return state, None if kept is None else _constrained(kept), wrong


def decode(
    model: VideoModel, frozen: dict, sample: Sample, mesh: Mesh
) -> UInt8[np.ndarray, "b t h w 3"]:
    """Frames of a denoised sample: the process in painted order, on the host."""
    video = decode_video(model, frozen, sample, mesh)
    return np.asarray(_to_uint8(video[:, : video.shape[1] - model.conditioning_frames]))


def decode_clean(
    model: VideoModel, frozen: dict, batch: dict[str, Any], mesh: Mesh
) -> UInt8[np.ndarray, "b t h w 3"]:
    """Frames of recorded processes that were encoded beforehand, in painted order, on the host.

    Args:
      model: Model that they were encoded for.
      frozen: Parameters of its codec, see `VideoModel.encoders`.
      batch: The arrays `LATENTS` and `CONDITIONS` of `reverse_painting`.
      mesh: Mesh that the parameters are laid out on.
    """
    clean_BTHWC, conditions = encoded(on_mesh(batch, mesh), model)
    return decode(model, frozen, Sample(conditions, None, clean_BTHWC), mesh)


def decode_video(
    model: VideoModel, frozen: dict, sample: Sample, mesh: Mesh
) -> Float[Array, "b t h w 3"]:
    """All frames that the model makes, in [-1, 1], in painted order; conditioning frames come last.

    They are replicated, since a process can only read data on its own devices.
    """
    with jax.set_mesh(mesh):
        return _decode(model, replicated(mesh), frozen, sample.state, sample.conditions)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _decode(model: VideoModel, everywhere, frozen: dict, latents, conditions):
    latents = model.family.restore_conditioning_frames(latents, conditions)
    video = reverse(model.encoders(frozen).codec.decode(latents))
    return jax.lax.with_sharding_constraint(video, everywhere)


_to_uint8 = jax.jit(to_uint8)


def on_mesh(tree, mesh: Mesh):
    """A tree of batches on the devices."""
    return jax.device_put(tree, _placement(tree, mesh))


def _placement(tree, mesh: Mesh) -> Sharding:
    """Shares the batch among the devices where it divides, else copies it to all of them."""
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    batch = jax.tree.leaves(tree)[0].shape[0]
    return batch_sharding(mesh) if batch % shards == 0 else replicated(mesh)
