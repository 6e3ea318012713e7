"""The training step: reverse painting, loss, gradient, update and average, all inside one jit."""

import functools
from collections.abc import Callable

import flax
import jax
import jax.numpy as jnp
import optax
from clu import metrics

from painting_jax.diffusion import reverse_painting
from painting_jax.diffusion.reverse_painting import Example
from painting_jax.models.codec import to_float
from painting_jax.sharding.rules import constrain
from painting_jax.tasks.task import Task
from painting_jax.training.optimizer import ema_update, make_optimizer
from painting_jax.training.state import TrainState

_SIGMA_BINS = 4  # Number of equal ranges of the noise level; the loss is reported for each.
_HELD_OUT_SIGMAS = 8


def _loss_in_bin(index: int):
    def loss_of_bin(loss_B, sigma_B, **_):
        return {"values": loss_B, "mask": jnp.floor(sigma_B * _SIGMA_BINS) == index}

    return loss_of_bin


@flax.struct.dataclass
class TrainMetrics(metrics.Collection):
    """Averages of metrics since the last report."""

    loss: metrics.Average.from_output("loss_B")
    loss_noise_0_25: metrics.Average.from_fun(_loss_in_bin(0))
    loss_noise_25_50: metrics.Average.from_fun(_loss_in_bin(1))
    loss_noise_50_75: metrics.Average.from_fun(_loss_in_bin(2))
    loss_noise_75_100: metrics.Average.from_fun(_loss_in_bin(3))
    gradient_norm: metrics.Average.from_output("gradient_norm")


def output_shardings(state: TrainState, running: TrainMetrics) -> tuple:
    """Shardings of what the step returns: those of the state and the metrics that it takes.

    Left alone, the compiler chooses them, and the next step, which takes what this one returns,
    would be compiled as another program.
    """
    given = jax.tree.map(lambda leaf: leaf.sharding, (state, running))
    return *given, None


def jit_train_step(task: Task, state: TrainState, running: TrainMetrics) -> jax.stages.Wrapped:
    """Jits `make_train_step`; the state and the metrics are donated.

    Args:
      task: Task of the training.
      state: State, or its shapes and shardings.
      running: Metrics, or theirs.
    """
    return jax.jit(
        make_train_step(task), donate_argnums=(0, 1), out_shardings=output_shardings(state, running)
    )


def make_train_step(task: Task) -> Callable:
    """Makes the function (state, metrics, batch, frozen) -> (state, metrics, finite), to be jitted.

    Its random numbers depend only on the seed and the step, so that no random state has to be
    saved. `finite` states whether loss and gradient are finite.
    """
    config, model, objective = task.config, task.model, task.objective
    optimizer = make_optimizer(config)

    def loss_fn(params, frozen, example: Example):
        predict = functools.partial(task.predict, params, frozen)
        loss_B = reverse_painting.loss(predict, example, model, objective)
        return loss_B.mean(), loss_B

    gradient_fn = accumulated(
        jax.value_and_grad(loss_fn, has_aux=True), config.optimizer.gradient_accumulation_steps
    )

    def train_step(state: TrainState, running: TrainMetrics, batch: dict, frozen: dict):
        batch = jax.tree.map(functools.partial(constrain, kind="batch"), batch)
        key = jax.random.fold_in(jax.random.key(config.seed), state.step)
        encoders = model.encoders(frozen)
        example = reverse_painting.draw_example(key, batch, model, encoders, objective)
        loss_B, gradient = gradient_fn(state.params, frozen, example)
        gradient_norm = optax.global_norm(gradient)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema_params = state.ema_params
        if config.optimizer.ema:
            ema_params = ema_update(config, ema_params, params, state.step)
        now = TrainMetrics.single_from_model_output(
            loss_B=loss_B, sigma_B=example.sigma_B, gradient_norm=gradient_norm
        )
        finite = jnp.isfinite(loss_B.sum()) & jnp.isfinite(gradient_norm)
        return TrainState(state.step + 1, params, ema_params, opt_state), running.merge(now), finite

    return train_step


def accumulated(value_and_gradient: Callable, steps: int) -> Callable:
    """Gradient accumulation: processes a batch in `steps` parts in turn, to save memory.

    Args:
      value_and_gradient: Function (params, frozen, example) -> ((mean loss, loss_B), gradient).
      steps: Number of parts.

    Returns:
      The function (params, frozen, example) -> (loss_B, gradient) for the whole batch.
    """

    def whole(params, frozen, example):
        (_, loss_B), gradient = value_and_gradient(params, frozen, example)
        return loss_B, gradient

    def in_parts(params, frozen, example):
        def one_part(total, part):
            loss_B, gradient = whole(params, frozen, part)
            return jax.tree.map(jnp.add, total, gradient), loss_B

        # Part i takes every `steps`-th row, starting at row i, so that each part spans all devices.
        parts = jax.tree.map(lambda x: x.reshape(-1, steps, *x.shape[1:]).swapaxes(0, 1), example)
        zeros = jax.tree.map(jnp.zeros_like, params)
        total, loss_PB = jax.lax.scan(one_part, zeros, parts)
        return loss_PB.T.reshape(-1), jax.tree.map(lambda g: g / steps, total)

    return whole if steps == 1 else in_parts


def make_held_out_loss(task: Task) -> Callable:
    """Makes the function (params, frozen, batch, seed) -> loss_B, which drops no conditions.

    The noise distribution is split into eight quantile ranges of equal probability, and each
    example is noised at the median of each range. Two calls with the same seed use the same noise,
    so that their losses differ only through parameters and conditions.
    """
    model, objective = task.model, task.objective

    def held_out_loss(params, frozen, batch, seed):
        predict = functools.partial(task.predict, params, frozen)
        encoders = model.encoders(frozen)
        if reverse_painting.LATENTS in batch:
            clean, conditions = reverse_painting.encoded(batch, model)
        else:
            reference = to_float(batch["reference_BHWC"])
            clean, conditions = reverse_painting.encode(batch, reference, model, encoders)
        judged = reverse_painting.judged(batch, encoders.codec)

        def at_level(total, sigma_and_key):
            sigma, key = sigma_and_key
            noise = jax.random.normal(key, clean.shape)
            sigma_B = jnp.full((clean.shape[0],), sigma)
            example = Example(clean, noise, sigma_B, conditions, judged)
            return total + reverse_painting.loss(predict, example, model, objective), None

        shares = (jnp.arange(_HELD_OUT_SIGMAS) + 0.5) / _HELD_OUT_SIGMAS
        keys = jax.random.split(jax.random.key(seed), _HELD_OUT_SIGMAS)
        levels = (objective.noise.quantile(shares), keys)
        total, _ = jax.lax.scan(at_level, jnp.zeros(clean.shape[0]), levels)
        return total / _HELD_OUT_SIGMAS

    return held_out_loss
