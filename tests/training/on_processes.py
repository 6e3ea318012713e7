"""Two steps of a training on a mesh, as one of several computer processes or as the only one."""

import json

import jax
import numpy as np
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from configs import demo
from painting_jax.data import pipeline
from painting_jax.sharding.batches import global_batch, rows_of_process
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import replicated
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from painting_jax.training.step import TrainMetrics, make_train_step, output_shardings
from tests import initial_state

STEPS = 2


def config_of(data_dir: str, changes: dict) -> ConfigDict:
    """The demo's config with some fields changed."""
    config = demo.get_config()
    config.update_from_flattened_dict(changes)
    config.data.data_dir = data_dir
    return config


def measure(config: ConfigDict, sizes: dict[str, int]) -> dict:
    """What must not depend on the processes: ids and pixels of the examples, losses, gradients."""
    data = config.data
    source = pipeline.DataSource(data.data_dir, "train")
    tokenizer = Tokenizer.train(source.captions(), size=config.model.vocabulary)
    conditioner = TokenConditioner(tokenizer, data.text_length)
    examples = pipeline.Examples(
        data.frames, data.height, data.width, conditioner, config.model.media, 0.3
    )
    mesh = make_mesh(sizes)
    rows = rows_of_process(mesh, data.batch_size)
    batches = pipeline.training_batches(
        source, examples, batch_size=data.batch_size, seed=config.seed, rows=rows
    )
    found: dict = {"rows": rows, "ids": [], "pixels": [], "losses": [], "gradients": []}
    with jax.set_mesh(mesh):
        task = FromScratch(config)
        state = initial_state.make(task, mesh)
        empty = jax.device_put(TrainMetrics.empty(), replicated(mesh))
        step = jax.jit(make_train_step(task), out_shardings=output_shardings(state, empty))
        on_all = jax.jit(lambda tree: tree, out_shardings=replicated(mesh))
        for number in range(STEPS):
            batch = global_batch(batches[number], rows, data.batch_size, mesh)
            seen = on_all({"ids": batch.pop("index_B"), "pixels": batch["frames_BTHWC"]})
            state, metrics, _ = step(state, empty, batch, {})
            values = metrics.compute()
            # Every device's own copy counts, not the first one's.
            copies = [np.asarray(shard.data) for shard in seen["ids"].addressable_shards]
            assert all((copy == copies[0]).all() for copy in copies)
            found["ids"].append(copies[0].tolist())
            found["pixels"].append(int(np.asarray(seen["pixels"]).astype(np.int64).sum()))
            found["losses"].append(float(values["loss"]))
            found["gradients"].append(float(values["gradient_norm"]))
    return found


def main(
    address: str, count: int, index: int, data_dir: str, changes: dict, meshes: list[dict]
) -> None:
    """Prints what one of several processes measures, for each mesh."""
    jax.distributed.initialize(address, count, index)
    config = config_of(data_dir, changes)
    print(json.dumps([measure(config, sizes) for sizes in meshes]), flush=True)
    multihost_utils.sync_global_devices("done")
