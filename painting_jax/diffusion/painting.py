"""Batches of conditions to painted processes: sampling, and the video from the latents.

For most models a codec decodes the latents. A network that is its own decoder (`NetworkDecoder`)
takes the last step at the full size of the pictures, and that step alone pays for the size. All
other steps see latents, so pictures of all sizes share one compiled program.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, UInt8

from painting_jax.diffusion import sampling as sampling_lib
from painting_jax.diffusion.guidance import classifier_free_guidance
from painting_jax.diffusion.reverse_painting import reverse
from painting_jax.diffusion.sampling import Network, Sample, Sampling
from painting_jax.diffusion.step_cache import StepCache
from painting_jax.errors import UserError
from painting_jax.models.codec import to_uint8
from painting_jax.models.family import VideoModel
from painting_jax.sharding.rules import replicated


def paint(
    model: VideoModel,
    frozen: dict,
    networks: Sequence[Callable[[], Network]],
    batches: Iterable[dict[str, Array]],
    sampling: Sampling,
    mesh: Mesh,
    *,
    cache: StepCache | None = None,
    on_step: Callable[[], object] | None = None,
) -> Iterator[UInt8[np.ndarray, "b t h w 3"]]:
    """Paints batch after batch; arguments as in `sampling.prepare` and `sampling.denoise`.

    Yields:
      Frames of each batch in painted order, on the host.
    """
    samples = (sampling_lib.prepare(model, frozen, batch, sampling, mesh) for batch in batches)
    denoise = functools.partial(
        sampling_lib.denoise, sampling=sampling, mesh=mesh, cache=cache, on_step=on_step
    )
    if not model.network_decoder:
        for sample in denoise(model, networks, samples):
            yield sampling_lib.decode(model, frozen, sample, mesh)
        return
    [load] = networks
    for sample in samples:
        [denoised] = denoise(model, networks, [_latents_alone(model, sample)], but_last=True)
        last = dataclasses.replace(sample, state=denoised.state)
        yield last_step(model, load(), last, sampling, mesh)


def paint_each(
    models: Sequence[VideoModel],
    frozen: dict,
    networks: Sequence[Callable[[], Network]],
    rows: Sequence[dict[str, Array]],
    sampling: Sampling,
    mesh: Mesh,
    *,
    cache: StepCache | None = None,
    on_step: Callable[[], object] | None = None,
) -> Iterator[UInt8[np.ndarray, "t h w 3"]]:
    """Paints pictures of different sizes, whose latents are of one size and denoised as one batch.

    Args:
      models: Model of each picture, which has a network decoder. They differ in their codec alone.
      frozen: As in `paint`, as are the arguments after the next.
      networks: Loads the transformer.
      rows: Batches of one picture each.
      sampling: How they are sampled.
      mesh: Mesh that the parameters are laid out on.
      cache: Step cache.
      on_step: Called after each step of the batch, and after the last step of each picture; None
        takes the steps of the batch at once.

    Yields:
      Frames of each picture in painted order, on the host.
    """
    samples = [
        sampling_lib.prepare(model, frozen, row, sampling, mesh)
        for model, row in zip(models, rows, strict=True)
    ]
    alone = [_latents_alone(model, sample) for model, sample in zip(models, samples, strict=True)]
    joined = jax.tree.map(lambda *rows: np.concatenate([np.asarray(row) for row in rows]), *alone)
    [denoised] = sampling_lib.denoise(
        models[0],
        networks,
        [joined],
        sampling,
        mesh,
        cache=cache,
        on_step=on_step,
        but_last=True,
    )
    latents_BTHWC = np.asarray(denoised.state)
    [load] = networks
    network = load()
    for place, (model, sample) in enumerate(zip(models, samples, strict=True)):
        last = dataclasses.replace(sample, state=latents_BTHWC[place : place + 1])
        [frames_THWC] = last_step(model, network, last, sampling, mesh)
        if on_step:
            on_step()
        yield frames_THWC


def _latents_alone(model: VideoModel, sample: Sample) -> Sample:
    """The sample without what the last step alone needs."""
    alone = model.family.network_decoder.latents_alone
    conditions, negative = alone(sample.conditions), alone(sample.negative)
    return dataclasses.replace(sample, conditions=conditions, negative=negative)


def last_step(
    model: VideoModel, network: Network, sample: Sample, sampling: Sampling, mesh: Mesh
) -> UInt8[np.ndarray, "b t h w 3"]:
    """The frames of pictures at their full size, in painted order, on the host.

    Every sampler ends in the clean prediction of its last step, so the prediction is the video.

    Args:
      model: Model, which has a network decoder.
      network: Transformer.
      sample: Sample whose latents have passed all steps but the last.
      sampling: How it is sampled.
      mesh: Mesh that the parameters are laid out on.

    Raises:
      UserError: If the step gives numbers that are not finite.
    """
    graph, params = network
    timestep, [scale] = sampling.make_sampler().timesteps[-1], sampling.guidance
    with jax.set_mesh(mesh):
        frames_BTHWC, finite = _last_step(
            model,
            replicated(mesh),
            graph,
            params,
            sampling_lib.on_mesh(sample, mesh),
            np.float32(timestep),
            None if scale == 1 else np.float32(scale),
        )
    if not finite:
        raise UserError(
            "the last step of the sampler gave numbers that are not finite: the run's checkpoint "
            "may be damaged"
        )
    return np.asarray(frames_BTHWC)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _last_step(model: VideoModel, everywhere, graph, params: dict, sample: Sample, timestep, scale):
    transformer = nnx.merge(graph, params)

    def one_pass(noisy_BTHWC, sigma_B, conditions):
        timestep_B = jnp.broadcast_to(timestep, sigma_B.shape)
        return model.family.network_decoder.paint(transformer, noisy_BTHWC, timestep_B, conditions)

    latents_BTHWC, conditions = sample.state, sample.conditions
    sigma_B = jnp.broadcast_to(timestep / 1000, len(latents_BTHWC))
    if scale is None:
        video_BTHWC = one_pass(latents_BTHWC, sigma_B, conditions)
    else:
        # One pass after the other: the memory is that of the pixels.
        video_BTHWC = classifier_free_guidance(
            one_pass, latents_BTHWC, sigma_B, conditions, sample.negative, scale, sequential=True
        )
    frames_BTHWC = to_uint8(reverse(video_BTHWC))
    finite = jnp.isfinite(video_BTHWC).all()
    return jax.lax.with_sharding_constraint(frames_BTHWC, everywhere), finite
