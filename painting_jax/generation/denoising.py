"""Noise to latents with the transformers of a published model, one step at a time."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float

from painting_jax.checkpoints.components import Loaded
from painting_jax.diffusion.guidance import contrasted
from painting_jax.diffusion.stepwise import Stepwise
from painting_jax.errors import UserError
from painting_jax.models.wan import conditioning as wan_painting
from painting_jax.models.wan.conditioning import WanConditions
from painting_jax.sharding.rules import replicated


def advance(
    transformer: Loaded,
    sampler: Stepwise,
    state: Any,
    steps: tuple[int, int],
    conditions: WanConditions,
    others: WanConditions,
    *,
    guidance: float,
    in_turn: bool,
    mesh: Mesh,
    done: Callable[[], object],
) -> Any:
    """Takes some of a sampler's steps.

    Args:
      transformer: that takes them.
      sampler: of the steps.
      state: of the sampler.
      steps: first one, and the one after the last.
      conditions: of the video.
      others: that guidance leads away from: those of a negative prompt.
      guidance: 1 = none.
      in_turn: as of `guidance.contrasted`.
      mesh: that the transformer is laid out on.
      done: called after each step.

    Returns:
      The state after them.

    Raises:
      UserError: if a step gives latents that are not finite.
    """
    everywhere = replicated(mesh)
    conditions, others = jax.device_put((conditions, others), everywhere)
    for step in range(*steps):
        # Where each step finds the state is where the first one does: they are one program.
        state = jax.device_put(state, everywhere)
        with jax.set_mesh(mesh):
            state = _advance(
                transformer.graph,
                sampler.advance,
                guidance != 1,
                in_turn,
                transformer.params,
                state,
                sampler.part(step, step + 1),
                conditions,
                others,
                jnp.float32(guidance),
            )
        if not jnp.isfinite(sampler.sample(state)).all():
            raise UserError(
                f"step {step + 1} of the sampler gave numbers that are not finite: paint with "
                "--dtype=float32, or without a LoRA or a file that may be damaged"
            )
        done()
    return state


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _advance(
    graph, take, guided: bool, in_turn: bool, params, state, steps, conditions, others, scale
) -> Any:
    transformer = nnx.merge(graph, params)

    def velocity(sample, timestep_B, conditions) -> Float[Array, "b t h w c"]:
        return wan_painting.velocity(transformer, sample, timestep_B, conditions)

    def steered(sample, timestep_B) -> Float[Array, "b t h w c"]:
        if not guided:
            return velocity(sample, timestep_B, conditions)
        from_others = contrasted(velocity, scale, in_turn=in_turn)
        return from_others(sample, timestep_B, conditions, others)

    return take(steered, state, steps)
