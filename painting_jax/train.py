"""Trains a video diffusion model to paint, by reverse painting on recorded processes.

  python -m painting_jax.train --config=configs/demo.py --data_dir=DATA --workdir=RUN

If the command is run again with the same --workdir, training resumes from the last checkpoint. The
result is bit for bit the same as without the interruption. A higher --config.steps lengthens a run.
--config.FIELD=VALUE sets any field of the config, as in --config.steps=2000, --config.mesh.fsdp=4
or --config.init_from=OTHER_RUN; --help_config lists the fields.

On Ctrl-C or SIGTERM, train finishes its step, saves it, and exits with status 130 or 143. A second
Ctrl-C ends the program at once.

The configs in configs/wan*.py finetune published weights. With :lora they train only a LoRA, as in
--config=configs/wan22_ti2v_5b.py:lora,rank=32.

train writes to RUN: config.json, checkpoints, TensorBoard files, the tokenizer, contact sheets in
sheets/ (each recorded process above the painted one), and examples.jsonl (the examples that each
step used). A LoRA is also written to lora.safetensors, which diffusers and
ComfyUI can load. RUN may be a folder in a bucket, gs://BUCKET/FOLDER.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import contextlib
import os
import re
import sys
from collections.abc import Iterator

from absl import flags
from ml_collections import config_flags

from painting_jax import cli, memory
from painting_jax import config as config_lib
from painting_jax.errors import UserError
from painting_jax.sharding import processes
from painting_jax.training import memory_needs, preemption
from painting_jax.training.loop import train

# The flag has no default, as a default file would be loaded here, where `cli.run` cannot turn
# mistakes into one-line errors.
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "File of the experiment to run [default: configs/demo.py, a small model]."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run. An existing run is resumed.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of data sets made by prepare. It may have moved since the run began [default: the"
    " config's data.data_dir].",
)
_HELP_CONFIG = flags.DEFINE_bool(
    "help_config",
    False,
    "List the fields of the experiment with their values and ranges, and exit.",
)
_COORDINATOR_ADDRESS = flags.DEFINE_string(
    "coordinator_address",
    None,
    "For training in several processes: HOST:PORT of process 0, the same in all of them. Not "
    "needed in a step of Slurm, a JobSet or a TPU slice.",
)
_PROCESS_COUNT = flags.DEFINE_integer(
    "process_count",
    None,
    "Number of processes; with 1, this process trains alone, wherever it is started.",
)
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Number of this process, from 0.")


def main() -> None:
    """Trains the experiment that the flags name."""
    if _HELP_CONFIG.value:
        print(config_lib.listing(cli.experiment(_CONFIG)))
        return
    cli.refuse_empty(_WORKDIR, _DATA_DIR, _COORDINATOR_ADDRESS)
    cli.check_runs(_WORKDIR)
    cli.check_readable(_DATA_DIR)
    if not _WORKDIR.value:
        raise UserError("--workdir is missing: a folder for the run, new or to be resumed")
    with _joined_processes():
        config = cli.experiment(_CONFIG)
        if _DATA_DIR.value:
            config.data.data_dir = _DATA_DIR.value
        with memory.explained(lambda: memory_needs.advice(config)):
            train(config, _WORKDIR.value)


def with_config(argv: list[str]) -> list[str]:
    """A command line (program and arguments), with the default --config if it names none."""
    program, *given = argv
    if not any(re.match("--?config(=|$)", argument) for argument in given):
        given.insert(0, f"--config={config_lib.__file__}")
    return [program, *given]


@contextlib.contextmanager
def _joined_processes() -> Iterator[None]:
    found = processes.find(
        _COORDINATOR_ADDRESS.value, _PROCESS_COUNT.value, _PROCESS_ID.value, os.environ
    )
    if found:
        print(found, flush=True)
    with processes.joined(found):
        preemption.share()
        yield


if __name__ == "__main__":
    cli.run(main, with_config(sys.argv))
