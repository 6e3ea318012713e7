"""The optimizer: AdamW with warm-up, cosine decay, gradient clipping and a weight decay mask."""

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

# Whether weight decay applies to a parameter, by the last part of its path. Its shape cannot decide
# this: in a scanned stack of layers a bias also has two dimensions.
WEIGHT_DECAY: dict[str, bool] = {
    "kernel": True,
    "lora_a": True,
    "lora_b": True,
    "medium_table": True,  # An embedding, decayed by choice.
    "token_table": True,  # An embedding, decayed by choice.
    "bias": False,
    "lora_bias": False,
    "scale": False,  # Scale of a normalisation.
    "scale_shift_table": False,  # Learned part of a modulation.
}


def make_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """AdamW with warm-up, cosine decay and clipping by the global norm."""
    optimizer = config.optimizer
    return optax.chain(
        optax.clip_by_global_norm(optimizer.clip_norm),
        optax.adamw(
            learning_rate(config),
            b1=optimizer.b1,
            b2=optimizer.b2,
            mu_dtype=optimizer.momentum_dtype,
            weight_decay=optimizer.weight_decay,
            mask=decay_mask,
        ),
    )


def learning_rate(config: ConfigDict) -> optax.Schedule:
    """Schedule of the learning rate: linear warm-up, then cosine decay to the end fraction.

    Step s of w warm-up steps has the share (s + 1) / w of the peak, so that the first step, too,
    changes the parameters. The warm-up takes at most half of all steps.
    """
    optimizer = config.optimizer
    peak = optimizer.learning_rate
    warmup = min(optimizer.warmup_steps, config.steps // 2)
    decay = optax.cosine_decay_schedule(
        peak, config.steps - warmup, alpha=optimizer.end_learning_rate_fraction
    )
    if not warmup:
        return decay
    rise = optax.linear_schedule(peak / warmup, peak, warmup - 1) if warmup > 1 else lambda _: peak
    return optax.join_schedules([rise, decay], [warmup])


def ema_update(config: ConfigDict, average: dict, params: dict, step: jax.Array) -> dict:
    """The exponential moving average of the parameters after one more step.

    The decay is min(ema_decay, (1 + step) / (10 + step)). The average thus forgets the random
    initial parameters faster than with `ema_decay` alone.

    Args:
      config: Config of the experiment.
      average: Average before the step.
      params: Parameters after the step.
      step: Number of steps done before this one.
    """
    decay = jnp.minimum(config.optimizer.ema_decay, (1 + step) / (10 + step))
    return optax.incremental_update(params, average, 1 - decay)


def decay_mask(params: dict) -> dict:
    """Whether weight decay applies to each parameter: a tree of bools shaped like `params`.

    Raises:
      ValueError: If `WEIGHT_DECAY` does not list a parameter's name.
    """

    def decayed(path, _) -> bool:
        full = jax.tree_util.keystr(path, simple=True, separator="/")
        name = full.rpartition("/")[-1]
        if name not in WEIGHT_DECAY:
            raise ValueError(f"add {name!r} to WEIGHT_DECAY in {__name__}: {full} is not listed")
        return WEIGHT_DECAY[name]

    return jax.tree_util.tree_map_with_path(decayed, params)
