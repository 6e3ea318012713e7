"""Trains a video diffusion model to paint, by reverse painting on recorded processes.

  python -m painting_jax.train --config=configs/demo.py --data_dir=DATA --workdir=RUN

Started again with the same --workdir it goes on from the last checkpoint, bit for bit as if it had
not been stopped. Any field of the config is set by --config.FIELD=VALUE, as in
--config.steps=2000, --config.mesh.fsdp=4 or --config.init_from=OTHER_RUN.

Published weights are trained further with configs/wan*.py, a LoRA of them alone with :lora, as in
--config=configs/wan22_ti2v_5b.py:lora,rank=32.

RUN gets config.json, checkpoints, TensorBoard files, the tokenizer, sheets (what it paints, below
what was recorded), and examples.jsonl (the examples that each step saw); of a LoRA also
lora.safetensors, which diffusers and ComfyUI load.
"""

import re
import sys

import jax
from absl import flags
from ml_collections import ConfigDict, config_flags

from painting_jax import cli
from painting_jax import config as config_lib
from painting_jax.errors import UserError
from painting_jax.training.loop import train

# With a default of its own it would read the command line here, where no mistake is told in a line.
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Experiment to run, a file [default: the demo, as configs/demo.py]."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; an existing run is resumed.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Data sets made by prepare, moved or not since a run began [default: the config's "
    "data.data_dir].",
)
_DISTRIBUTED = flags.DEFINE_string(
    "distributed",
    "",
    "Several processes: 'auto' where the cluster says who is who (TPU pods, Slurm), else "
    "HOST:PORT,COUNT,INDEX.",
)


def main() -> None:
    """Trains what the flags name."""
    cli.refuse_empty(_WORKDIR, _DATA_DIR)
    if not _WORKDIR.value:
        raise UserError("--workdir is missing: a folder for the run, new or to be resumed")
    _join_processes(_DISTRIBUTED.value)
    config = _config()
    if _DATA_DIR.value:
        config.data.data_dir = _DATA_DIR.value
    train(config, _WORKDIR.value)


def _arguments() -> list[str]:
    """The command line, with the default --config if it names none."""
    program, *given = sys.argv
    if not any(re.match("--?config(=|$)", argument) for argument in given):
        given.insert(0, f"--config={config_lib.__file__}")
    return [program, *given]


def _config() -> ConfigDict:
    config = _CONFIG.value
    try:
        # A file that cannot be read is told of when a field is asked for.
        config.keys()
    except OSError as error:
        raise UserError(f"--config: no experiment can be read from it: {error.__cause__}") from None
    return config


def _join_processes(description: str) -> None:
    if not description:
        return
    if description == "auto":
        jax.distributed.initialize()
        return
    try:
        address, count, index = description.split(",")
        jax.distributed.initialize(address, int(count), int(index))
    except ValueError:
        raise UserError(
            f"--distributed={description}: it must be auto or HOST:PORT,COUNT,INDEX"
        ) from None


if __name__ == "__main__":
    cli.run(main, _arguments())
