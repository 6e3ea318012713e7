"""The one sampling driver: conditions and noise to painting processes, for every model.

Contact sheets of a training, `evaluate` on a run, and `generate` with a run or with published
weights all sample here. One compiled program takes any number of steps: all of them at once, or one
after the other where progress is shown.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, Sharding
from jaxtyping import Array, Float, Int, UInt8

from painting_jax.diffusion import flow_matching
from painting_jax.diffusion.guidance import classifier_free_guidance
from painting_jax.diffusion.reverse_painting import LATENTS, encoded, reverse
from painting_jax.diffusion.samplers import Sampler, make_sampler
from painting_jax.errors import UserError
from painting_jax.models.codec import to_float, to_uint8
from painting_jax.models.family import VideoModel, negative_conditions
from painting_jax.sharding.rules import batch_sharding, replicated

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
    """

    conditions: Any
    negative: Any
    state: Any


def paint(
    model: VideoModel,
    frozen: dict,
    networks: Sequence[Callable[[], Network]],
    batches: Iterable[dict[str, Array]],
    sampling: Sampling,
    mesh: Mesh,
    *,
    on_step: Callable[[], object] | None = None,
) -> Iterator[UInt8[np.ndarray, "b t h w 3"]]:
    """Paints batch after batch; arguments as in `prepare` and `denoise`.

    Yields:
      Frames of each batch in painted order, on the host.
    """
    samples = (prepare(model, frozen, batch, sampling, mesh) for batch in batches)
    for sample in denoise(model, networks, samples, sampling, mesh, on_step=on_step):
        yield decode(model, frozen, sample, mesh)


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
        noise_BTHWC to start from instead, and negative_text_BLD to guide away from.
      sampling: How it is sampled.
      mesh: Mesh that the parameters are laid out on.
    """
    batch = _on_mesh(batch, mesh)
    with jax.set_mesh(mesh):
        conditions, negative, noise_BTHWC = _prepare(model, sampling.guide_on, frozen, batch)
    return Sample(conditions, negative, sampling.make_sampler().start(noise_BTHWC))


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
    return conditions, negative, family.restore_conditioning_frames(noise_BTHWC, conditions)


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
    on_step: Callable[[], object] | None = None,
) -> Iterator[Sample]:
    """Takes all steps of the sampler for each sample, and yields it.

    Only one transformer is held at a time: all samples pass the first expert before the second is
    loaded, and wait on the host meanwhile.

    Args:
      model: Model that paints.
      networks: Loads each transformer, in sampling order.
      samples: Samples to denoise.
      sampling: How they are sampled.
      mesh: Mesh that the parameters are laid out on.
      on_step: Called after each step; None takes all steps of a transformer at once, which is
        faster for small models.

    Raises:
      UserError: If a step gives latents that are not finite.
    """
    sampler = sampling.make_sampler()
    stages = [
        (load, steps, scale)
        for load, steps, scale in zip(
            networks, sampler.expert_steps(sampling.boundary), sampling.guidance, strict=True
        )
        if steps
    ]
    for index, (load, steps, scale) in enumerate(stages):
        network = load()
        advanced = (
            _take(model, network, sampler, sample, steps, scale, sampling.sequential, mesh, on_step)
            for sample in samples
        )
        if index == len(stages) - 1:
            for sample in advanced:
                yield dataclasses.replace(sample, state=sampler.sample(sample.state))
        else:
            samples = [jax.tree.map(np.asarray, sample) for sample in advanced]
        del network, advanced


def _take(
    model: VideoModel,
    network: Network,
    sampler: Sampler,
    sample: Sample,
    steps: range,
    scale: float,
    sequential: bool,
    mesh: Mesh,
    on_step: Callable[[], object] | None,
) -> Sample:
    """Takes some steps with one transformer."""
    graph, params = network
    sample = _on_mesh(sample, mesh)
    state, table = sample.state, sampler.padded_steps()
    for first in steps if on_step else steps[:1]:
        end = first + 1 if on_step else steps.stop
        with jax.set_mesh(mesh):
            state, wrong = _advance(
                model,
                graph,
                (sampler.advance, sampler.sample),
                scale != 1,
                sequential,
                _placement(state, mesh),
                params,
                state,
                table,
                (np.int32(first), np.int32(end)),
                sample.conditions,
                sample.negative,
                np.float32(scale),
            )
        if (index := int(np.asarray(wrong))) < end:
            raise UserError(
                f"step {index + 1} of the sampler gave numbers that are not finite: paint with "
                "--dtype=float32, or without a LoRA or a file that may be damaged"
            )
        if on_step:
            on_step()
    return dataclasses.replace(sample, state=state)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4, 5))
def _advance(
    model: VideoModel,
    graph,
    sampler: tuple[Callable, Callable],
    guided: bool,
    sequential: bool,
    placement: Sharding,
    params: dict,
    state,
    table,
    span: tuple[Int[Array, ""], Int[Array, ""]],
    conditions,
    negative,
    scale: Float[Array, ""],
):
    """The state after the steps of a span, and its first step that was not finite, or its end."""
    advance, latents = sampler
    network = nnx.merge(graph, params)

    def velocity(noisy, sigma, timestep):
        def under(noisy, sigma_B, conditions):
            timestep_B = jnp.broadcast_to(timestep, sigma_B.shape)
            prediction = model.family.predict(network, noisy, timestep_B, conditions)
            return flow_matching.velocity(
                prediction, noisy, sigma_B, clean_prediction=model.clean_prediction
            )

        sigma_B = jnp.broadcast_to(sigma, noisy.shape[:1])
        if not guided:
            return under(noisy, sigma_B, conditions)
        return classifier_free_guidance(
            under, noisy, sigma_B, conditions, negative, scale, sequential=sequential
        )

    def take(index, carry):
        state, wrong = carry
        state = advance(velocity, state, jax.tree.map(lambda x: x[index], table))
        finite = jnp.isfinite(latents(state)).all()
        return state, jnp.where(finite, wrong, jnp.minimum(wrong, index))

    state, wrong = jax.lax.fori_loop(*span, take, (state, span[1]))
    # The same placement before and after, so that all calls share one program.
    return jax.lax.with_sharding_constraint(state, placement), wrong


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
    clean_BTHWC, conditions = encoded(_on_mesh(batch, mesh), model)
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


def _on_mesh(tree, mesh: Mesh):
    return jax.device_put(tree, _placement(tree, mesh))


def _placement(tree, mesh: Mesh) -> Sharding:
    """Shares the batch among the devices where it divides, else copies it to all of them."""
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    batch = jax.tree.leaves(tree)[0].shape[0]
    return batch_sharding(mesh) if batch % shards == 0 else replicated(mesh)
