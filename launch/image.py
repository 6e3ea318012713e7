"""The container image that clusters run, built from launch/Dockerfile."""

import pathlib
import re
from collections.abc import Sequence

from launch import buckets, command_line
from launch.runs import Run
from painting_jax.errors import UserError

COMMAND = ["python", "-m", "painting_jax.train"]
ROOT = pathlib.Path(__file__).resolve().parents[1]
# REGISTRY/.../NAME:TAG or @sha256:...
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")


def check(name: str | None) -> None:
    """Checks the name of an image.

    Raises:
      UserError: If it is missing or none.
    """
    if not name or not _NAME.fullmatch(name):
        missing = "--image is missing" if not name else f"--image={name}"
        raise UserError(
            f"{missing}: it must be REGISTRY/PROJECT/NAME:TAG, an image of launch/Dockerfile that "
            "the cluster can pull"
        )


def arguments(run: Run, target: str) -> list[str]:
    """The arguments of a training in a container, which has buckets as folders.

    Args:
      run: Run to start.
      target: Name of the target.

    Raises:
      UserError: If data or the run do not lie in buckets, or the config is not in the image.
    """
    data = command_line.value_of(run.arguments, "data_dir")
    named = [("--workdir", run.workdir)]
    named.append(
        ("--data_dir", data) if data else ("config.data.data_dir", run.config.data.data_dir)
    )
    buckets.require(target, named)
    return buckets.mounted(_with_copied_config(run.arguments))


def _with_copied_config(words: Sequence[str]) -> list[str]:
    given = command_line.value_of(words, "config")
    if given is None:
        return list(words)
    path, colon, rest = given.partition(":")
    inside = pathlib.Path(path).resolve()
    if not inside.is_relative_to(ROOT / "configs"):
        raise UserError(
            f"--config={given}: the image has the files of {ROOT / 'configs'} alone: put it there "
            "and build the image anew"
        )
    return command_line.replaced(words, "config", f"{inside.relative_to(ROOT)}{colon}{rest}")
