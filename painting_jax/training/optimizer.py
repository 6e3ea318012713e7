"""The optimizer: AdamW with warm-up, cosine decay, clipping, and the mask of its weight decay."""

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

# Whether weight decay applies to a parameter, by the last part of its path. Shapes cannot tell: in
# a scanned stack of layers a bias is a matrix, too.
WEIGHT_DECAY: dict[str, bool] = {
    "kernel": True,
    "lora_a": True,
    "lora_b": True,
    "medium_table": True,  # an embedding: decayed by choice
    "token_table": True,  # likewise
    "bias": False,
    "lora_bias": False,
    "scale": False,  # of a normalisation
    "scale_shift_table": False,  # the learned part of a modulation
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
            weight_decay=optimizer.weight_decay,
            mask=decay_mask,
        ),
    )


def learning_rate(config: ConfigDict) -> optax.Schedule:
    """Step -> learning rate: a linear warm-up from 0, then a cosine to the final share.

    The warm-up takes at most half of all steps.
    """
    optimizer = config.optimizer
    warmup = min(optimizer.warmup_steps, config.steps // 2)
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=optimizer.learning_rate,
        warmup_steps=warmup,
        decay_steps=config.steps,
        end_value=optimizer.end_learning_rate_fraction * optimizer.learning_rate,
    )


def ema_update(config: ConfigDict, average: dict, params: dict, step: jax.Array) -> dict:
    """The exponential moving average after one more step.

    The decay is min(ema_decay, (1 + step) / (10 + step)), so that the random start is forgotten
    faster than `ema_decay` alone would.

    Args:
      config: Config of the experiment.
      average: Average before.
      params: Parameters after the step.
      step: Steps done before it.
    """
    decay = jnp.minimum(config.optimizer.ema_decay, (1 + step) / (10 + step))
    return optax.incremental_update(params, average, 1 - decay)


def decay_mask(params: dict) -> dict:
    """Whether weight decay applies to each parameter: a tree of bools shaped like `params`.

    Raises:
      ValueError: if `WEIGHT_DECAY` does not list a parameter's name.
    """

    def decayed(path, _) -> bool:
        full = jax.tree_util.keystr(path, simple=True, separator="/")
        name = full.rpartition("/")[-1]
        if name not in WEIGHT_DECAY:
            raise ValueError(f"add {name!r} to WEIGHT_DECAY in {__name__}: {full} is not listed")
        return WEIGHT_DECAY[name]

    return jax.tree_util.tree_map_with_path(decayed, params)
