"""The runs that a command line asks for, each checked as far as it can be before it starts."""

import copy
import dataclasses
import re
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

from launch import command_line, sweep
from painting_jax import cli, train
from painting_jax import config as config_lib
from painting_jax.errors import UserError

# Of the names that Kubernetes and Slurm give to parts of a run, the longest have 63 characters.
_LONGEST_NAME = 40


@dataclasses.dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
      name: Name of letters, digits and hyphens.
      workdir: Folder of the run.
      arguments: Command-line arguments of the training.
      config: Config of the experiment.
    """

    name: str
    workdir: str
    arguments: tuple[str, ...]
    config: ConfigDict


def of(arguments: Sequence[str], sweep_words: Sequence[str]) -> list[Run]:
    """The runs of a command line.

    Args:
      arguments: Command-line arguments of the training.
      sweep_words: Arguments of the sweep, see `sweep.combinations`.

    Returns:
      One run, or one for each combination of a sweep, in a subfolder of the workdir.

    Raises:
      UserError: If an argument or a field of the sweep is unknown or invalid.
    """
    changes = sweep.combinations(sweep_words)
    workdir = _parsed(arguments)["workdir"].value
    if not workdir:
        raise UserError("--workdir is missing: a folder for the run, new or to be resumed")
    return [
        _run(arguments, workdir, change, number if len(changes) > 1 else 0)
        for number, change in enumerate(changes, start=1)
    ]


def _run(arguments: Sequence[str], workdir: str, change: dict[str, str], number: int) -> Run:
    if change:
        workdir = "/".join([workdir.rstrip("/"), _folder(change)])
        arguments = command_line.replaced(arguments, "workdir", workdir)
        arguments += [f"--config.{field}={value}" for field, value in change.items()]
    config = _parsed(arguments)["config"].value
    config_lib.check_ranges(config)
    base = workdir.rstrip("/").split("/")[-2 if change else -1]
    return Run(_name(base, number), workdir, tuple(arguments), config)


def _folder(change: dict[str, str]) -> str:
    """A name that tells runs of a sweep apart, without characters that shells or URLs take."""
    return ",".join(
        f"{field}={re.sub(r'[^A-Za-z0-9.+-]+', '_', value).strip('_')}"
        for field, value in change.items()
    )


def _name(base: str, number: int) -> str:
    suffix = f"-{number}" if number else ""
    words = re.sub("[^a-z0-9]+", "-", base.lower()).strip("-")
    words = words if words[:1].isalpha() else f"run-{words}"
    return words[: _LONGEST_NAME - len(suffix)].strip("-") + suffix


def _parsed(arguments: Sequence[str]) -> flags.FlagValues:
    """The flags of a training, with values of their own: a config can be parsed only once."""
    argv = train.with_config(["train", *arguments])
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", None, flag_values=values, sys_argv=argv)
    for flag in flags.FLAGS.flags_by_module_dict()[train.__name__]:
        if flag.name != "config":
            values[flag.name] = copy.deepcopy(flag)
    cli.parse(argv, values)
    cli.experiment(values["config"])
    return values
