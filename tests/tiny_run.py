"""A training run that has not begun to learn: what verbs need of one, without training."""

import json
import pathlib
import types
from collections.abc import Sequence

import jax
from ml_collections import ConfigDict

from configs import demo
from painting_jax.data import dataset_folder
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.workdir import claimed
from tests import initial_state, tiny


def write(
    workdir: pathlib.Path,
    data_dir: pathlib.Path,
    *,
    captions: Sequence[str],
    flags: Sequence[str] = tiny.FLAGS,
    config: ConfigDict | None = None,
) -> None:
    """Writes a small model with random parameters as a run, at step 0.

    Args:
      workdir: New folder of the run.
      data_dir: Folder of its data sets.
      captions: Texts whose words it knows.
      flags: Flags of its training; later ones count.
      config: Experiment whose fields they set; None = the default one.
    """
    config = config or demo.get_config()
    for flag in flags:
        name, value = flag.removeprefix("--config.").split("=")
        config.update_from_flattened_dict({name: json.loads(value)})
    config.data.data_dir = str(data_dir)
    with claimed(workdir, config, dataset_folder.find(data_dir)):
        task = FromScratch(config)
        task.text_conditioner(
            workdir, [types.SimpleNamespace(captions=lambda: list(captions))], None
        )
        checkpoints = Checkpoints(workdir)
        checkpoints.save(0, initial_state.make(task, make_mesh({}, jax.devices()[:1])), 0)
        checkpoints.close()
