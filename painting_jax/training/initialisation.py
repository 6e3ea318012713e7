"""Where a run starts.

In this order: its own last checkpoint; the averaged parameters of another run (`init_from`);
random parameters.
"""

import contextlib
import json

import jax
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax.data.pipeline import Source
from painting_jax.data.tokenizer import Tokenizer
from painting_jax.errors import UserError
from painting_jax.training import state as state_lib
from painting_jax.training.checkpoint import Checkpoints, read_config
from painting_jax.training.state import TrainState


def start_state(
    config: ConfigDict, checkpoints: Checkpoints, mesh: Mesh
) -> tuple[TrainState, int, str]:
    """The state to train from, the number of its next batch, and where it came from, in words."""
    if checkpoints.latest() is not None:
        state, next_batch = checkpoints.restore(config, mesh)
        return state, next_batch, f"resumed after step {int(state.step)}"
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state_lib.abstract_state(config, mesh))
    if config.init_from:
        params = _params_of(config, mesh)
        start = jax.jit(
            lambda params: state_lib.init_state(config, params), out_shardings=shardings
        )
        return start(params), 0, f"started from {config.init_from}"
    start = jax.jit(lambda: state_lib.init_state(config), out_shardings=shardings)
    return start(), 0, "started from random parameters"


def check_init_from(config: ConfigDict) -> None:
    """Checks that the run to start from, if any, can be started from.

    Raises:
      UserError: if it is no run, has another model, or no checkpoint.
    """
    if not config.init_from:
        return
    # Both as JSON has them, which knows no tuples.
    mine, theirs = (
        json.loads(c.to_json())["model"] for c in (config, read_config(config.init_from))
    )
    for name, value in mine.items():
        if theirs.get(name) != value:
            raise UserError(
                f"{config.init_from} has another model: config.model.{name} is "
                f"{theirs.get(name)} there and {value} here"
            )
    with contextlib.closing(Checkpoints(config.init_from, read_only=True)) as checkpoints:
        if checkpoints.latest() is None:
            raise UserError(f"{config.init_from} has no checkpoint to start from")


def _params_of(config: ConfigDict, mesh: Mesh) -> dict:
    with contextlib.closing(Checkpoints(config.init_from, read_only=True)) as checkpoints:
        return checkpoints.restore_ema(config, mesh)


def start_tokenizer(config: ConfigDict, workdir: epath.PathLike, source: Source) -> Tokenizer:
    """The run's tokenizer: its own, else that of `init_from`, else learned from the captions."""
    folder = epath.Path(workdir) / "tokenizer"
    if folder.exists():
        return Tokenizer.load(folder)
    if config.init_from:
        tokenizer = Tokenizer.load(epath.Path(config.init_from) / "tokenizer")
    else:
        tokenizer = Tokenizer.train(source.captions(), size=config.model.vocabulary)
    if jax.process_index() == 0:
        tokenizer.save(folder)
    return tokenizer
