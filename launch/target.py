"""Where trainings run, beyond this machine: each target writes a manifest and submits it."""

from typing import Protocol

from launch.runs import Run
from launch.slices import Slice


class Target(Protocol):
    """A cluster or a service.

    Attributes:
      asked: Accelerators of each run.
    """

    asked: Slice

    def manifest(self, run: Run) -> str:
        """The text that starts a run there: YAML or a script, checked as far as can be.

        Raises:
          UserError: If the run cannot be started there.
        """
        ...

    def check_access(self) -> None:
        """Checks that runs can be submitted from here.

        Raises:
          UserError: If programs or credentials are missing. The message says how to get them.
        """
        ...

    def submit(self, manifest: str) -> str:
        """Submits a run.

        Returns:
          What was started and how to follow it, in one line.

        Raises:
          UserError: If it is refused.
        """
        ...
