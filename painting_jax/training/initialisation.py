"""The state that a run starts from.

The first of these that exists is used: the run's last checkpoint; the averaged parameters of
another run, or a LoRA (`init_from`); the task's initial parameters, published or random.
"""

import json

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax import remote_paths
from painting_jax.config import read_config
from painting_jax.errors import UserError
from painting_jax.tasks import initial_lora
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.tasks.published import check_same_base, is_finetuned
from painting_jax.tasks.task import Task, make_model
from painting_jax.training import sampled
from painting_jax.training import state as state_lib
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.state import TrainState

# Sections in which two configs must agree for the parameters of one to fit the other, and fields in
# them that may differ: rows of media are copied by name, and the others take no parameters.
_MODEL = ("model", "lora")
_MAY_DIFFER = ("media", "mark_other_looks", "remat", "attention", "spatial")


def start_state(task: Task, checkpoints: Checkpoints, mesh: Mesh) -> tuple[TrainState, int, str]:
    """The state to train from, the number of its next batch, and a description of its origin."""
    if checkpoints.latest() is not None:
        state, next_batch = checkpoints.restore(task, mesh)
        return state, next_batch, f"resumed after step {int(state.step)}"
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state_lib.abstract_state(task, mesh))
    init_from = task.config.init_from
    from_run = init_from and not initial_lora.is_named(task.config)
    given = _params_of(task, mesh) if from_run else task.load_params(mesh)
    if given is not None:
        # The buffers are donated to the state: they may fill most of the devices' memory.
        start = jax.jit(
            lambda params: state_lib.init_state(task, params),
            out_shardings=shardings,
            donate_argnums=0,
        )
        return start(given), 0, f"started from {init_from or task.origin}"
    start = jax.jit(lambda: state_lib.init_state(task), out_shardings=shardings)
    return start(), 0, f"started from {task.origin}"


def check_init_from(config: ConfigDict) -> None:
    """Checks the run or the LoRA in `init_from`, if any.

    Raises:
      UserError: If it is neither a run nor a LoRA, has another model, or has no checkpoint.
    """
    if not config.init_from:
        return
    remote_paths.check_run("config.init_from", config.init_from)
    if initial_lora.is_named(config):
        initial_lora.read(config, make_model(config).config)
        return
    # Compare both as JSON, which turns tuples into lists.
    mine, theirs = (json.loads(c.to_json()) for c in (config, read_config(config.init_from)))
    for section in _MODEL:
        there = theirs.get(section, {})
        for name, value in mine[section].items():
            if there.get(name) != value and name not in _MAY_DIFFER:
                raise UserError(
                    f"{config.init_from} has another model: config.{section}.{name} is "
                    f"{there.get(name)} there and {value} here"
                )
    if not sampled.is_there(config.init_from):
        raise UserError(f"{config.init_from} has no checkpoint to start from")
    if is_finetuned(config):
        check_same_base(config, config.init_from)


def _params_of(task: Task, mesh: Mesh) -> dict:
    """Averaged parameters of the run to start from, with rows of media matched by name."""
    config = task.config
    names = tuple(read_config(config.init_from).model.media)
    if names == tuple(config.model.media) or is_finetuned(config):
        return sampled.restore(config.init_from, task, mesh)[0]
    their_config = config.copy_and_resolve_references()
    their_config.model.media = names
    params, _ = sampled.restore(config.init_from, FromScratch(their_config), mesh)
    model = task.model

    @jax.jit
    def by_name(params):
        return model.family.with_media(model.config, params, task.init_params(), names)

    return by_name(params)
