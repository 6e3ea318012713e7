"""Reads the LoRA that an experiment starts from, and checks that it fits."""

from collections.abc import Callable

import jax.numpy as jnp
from etils import epath
from ml_collections import ConfigDict

from painting_jax import remote_paths
from painting_jax.checkpoints import hub, lora_files, lora_keys
from painting_jax.errors import UserError
from painting_jax.files import local
from painting_jax.models import lora
from painting_jax.models.abstract import abstract
from painting_jax.models.lora import Branch
from painting_jax.models.wan.family import TRANSFORMER
from painting_jax.models.wan.transformer import WanConfig


def is_named(config: ConfigDict) -> bool:
    """Whether an experiment starts from a LoRA file or repository rather than from a run."""
    name = config.init_from
    return bool(name) and config.lora.enabled and not (epath.Path(name) / "config.json").exists()


def read(
    config: ConfigDict,
    transformer: WanConfig,
    *,
    log: Callable[[str], object] = lambda line: None,
) -> dict[str, Branch]:
    """Reads the adapters of the LoRA.

    Args:
      config: Config of an experiment that starts from a LoRA.
      transformer: Sizes of the transformer that the LoRA adapts.
      log: Called with a line that says what the LoRA is on and how it is scaled.

    Returns:
      The adapters by the path of their linear layer.

    Raises:
      UserError: If the LoRA cannot be read, adapts other layers than those that are trained, or has
        another rank.
    """
    name, settings = config.init_from, config.lora
    shapes = lora.kernels(abstract(TRANSFORMER.make, transformer, jnp.float32))
    try:
        path = local(name) if remote_paths.in_bucket(name) else hub.local_lora(name)
        file = lora_files.read(path, shapes)
    except FileNotFoundError:
        raise UserError(f"config.init_from={name} is neither a run nor a LoRA") from None
    except UserError as error:
        raise UserError(f"config.init_from: {error}") from error
    if file.changes:
        raise UserError(
            f"config.init_from={name} has changes other than products of two matrices, which are "
            "not trained: merge it with convert, and start anew"
        )
    factors = file.factors
    ranks = {one.rank for one in factors.values()}
    if ranks != {settings.rank}:
        said = ", ".join(map(str, sorted(ranks)))
        raise UserError(
            f"config.init_from={name} is of rank {said}, config.lora.rank of {settings.rank}: "
            + ("set it to that" if len(ranks) == 1 else "merge it with convert, and start anew")
        )
    wanted = {
        lora.Target(path, layer)
        for path in lora_keys.targets(settings.targets, shapes)
        for layer in (range(shapes[path][0]) if len(shapes[path]) > 2 else [None])
    }
    if factors.keys() != wanted:
        names = lora_keys.names(shapes)
        there = sorted({names[target.path] for target in factors})
        raise UserError(
            f"config.init_from={name} is on {len(factors)} matrices, {', '.join(there)}, and "
            f"config.lora.targets mean {len(wanted)}: name what the LoRA is on, in every block"
        )
    if any(one.bias_O is not None for one in factors.values()):
        raise UserError(
            f"config.init_from={name} changes biases, too, which is not trained: merge it with "
            "convert, and start anew"
        )
    log(f"{name}: {file}")
    return lora.combine([(factors, 1.0)], shapes)
