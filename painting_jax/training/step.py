"""One training step: reverse painting, loss, gradient, update, average; all inside one jit."""

import functools
from collections.abc import Callable

import flax
import jax
import jax.numpy as jnp
import optax
from clu import metrics

from painting_jax.diffusion import flow_matching, reverse_painting
from painting_jax.sharding.rules import constrain
from painting_jax.training import state as state_lib
from painting_jax.training.state import TrainState
from painting_jax.training.task import Task

_LEVELS = 4  # equal ranges of the noise level that the loss is reported by


def _within(level: int):
    def loss_of_level(loss_B, sigma_B, **_):
        return {"values": loss_B, "mask": jnp.floor(sigma_B * _LEVELS) == level}

    return loss_of_level


@flax.struct.dataclass
class TrainMetrics(metrics.Collection):
    """Averages since the last report."""

    loss: metrics.Average.from_output("loss_B")
    loss_noise_0_25: metrics.Average.from_fun(_within(0))
    loss_noise_25_50: metrics.Average.from_fun(_within(1))
    loss_noise_50_75: metrics.Average.from_fun(_within(2))
    loss_noise_75_100: metrics.Average.from_fun(_within(3))
    gradient_norm: metrics.Average.from_output("gradient_norm")


def make_train_step(task: Task) -> Callable:
    """The function (state, metrics, batch, frozen) -> (state, metrics, finite), to be jitted.

    Its randomness is a function of the seed and the step, so that none has to be saved. `finite`
    tells whether loss and gradient were numbers.
    """
    config, objective = task.config, task.objective
    optimizer = state_lib.make_optimizer(config)
    seed, parts, decay = (
        config.seed,
        config.optimizer.gradient_accumulation_steps,
        config.optimizer.ema_decay,
    )

    def losses(params, frozen, sample):
        loss_B = reverse_painting.loss(task.model(params, frozen), sample, objective)
        return loss_B.mean(), loss_B

    gradient_of = jax.value_and_grad(losses, has_aux=True)

    def gradients(params, frozen, sample):
        if parts == 1:
            (_, loss_B), gradient = gradient_of(params, frozen, sample)
            return loss_B, gradient

        def one_part(total, part):
            (_, loss_B), gradient = gradient_of(params, frozen, part)
            return jax.tree.map(jnp.add, total, gradient), loss_B

        # Part i takes every parts-th row from i on, so that each part spans all devices.
        rows = jax.tree.map(lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), sample)
        zeros = jax.tree.map(jnp.zeros_like, params)
        total, loss_PB = jax.lax.scan(one_part, zeros, rows)
        return loss_PB.T.reshape(-1), jax.tree.map(lambda g: g / parts, total)

    def train_step(state: TrainState, running: TrainMetrics, batch: dict, frozen: dict):
        batch = jax.tree.map(functools.partial(constrain, kind="batch"), batch)
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        sample = reverse_painting.training_sample(
            key,
            batch,
            objective,
            encode=lambda batch, reference: task.encode(batch, reference, frozen),
            drop=lambda key, conditions: task.drop(key, conditions, frozen),
        )
        loss_B, gradient = gradients(state.params, frozen, sample)
        norm = optax.global_norm(gradient)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        # The average forgets the random start faster than its decay alone would.
        kept = jnp.minimum(decay, (1 + state.step) / (10 + state.step))
        ema_params = optax.incremental_update(params, state.ema_params, 1 - kept)
        now = TrainMetrics.single_from_model_output(
            loss_B=loss_B, sigma_B=sample.sigma_B, gradient_norm=norm
        )
        finite = jnp.isfinite(loss_B.sum()) & jnp.isfinite(norm)
        return TrainState(state.step + 1, params, ema_params, opt_state), running.merge(now), finite

    return train_step


def make_loss(task: Task) -> Callable:
    """The function (params, frozen, batch, seed) -> loss of each sample, nothing dropped.

    Each sample is noised at every one of eight levels, the middles of eight equal shares of the
    training law, so that two calls with one seed differ only in their conditions.
    """
    objective = task.objective

    def held_out_loss(params, frozen, batch, seed):
        model = task.model(params, frozen)
        reference = reverse_painting.to_float(batch["reference_BHWC"])
        clean, conditions = task.encode(batch, reference, frozen)

        def at_level(total, sigma_and_key):
            sigma, key = sigma_and_key
            sample = reverse_painting.Sample(
                clean_BTHWC=clean,
                noise_BTHWC=jax.random.normal(key, clean.shape),
                sigma_B=jnp.full((clean.shape[0],), sigma),
                conditions=conditions,
            )
            return total + reverse_painting.loss(model, sample, objective), None

        sigmas = flow_matching.noise_quantiles(
            (jnp.arange(_HELD_OUT_LEVELS) + 0.5) / _HELD_OUT_LEVELS,
            law=objective.law,
            mean=objective.mean,
            std=objective.std,
            shift=objective.shift,
            between=objective.between,
        )
        keys = jax.random.split(jax.random.key(seed), _HELD_OUT_LEVELS)
        total, _ = jax.lax.scan(at_level, jnp.zeros(clean.shape[0]), (sigmas, keys))
        return total / _HELD_OUT_LEVELS

    return held_out_loss


_HELD_OUT_LEVELS = 8
