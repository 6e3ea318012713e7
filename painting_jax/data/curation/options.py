"""What a user may choose of the cleaning of videos."""

import dataclasses

# What the progress of a process is measured by.
TIME, CHANGE = "time", "change"
MEASURES = (TIME, CHANGE)


@dataclasses.dataclass(frozen=True)
class Cleaning:
    """How videos are cleaned.

    Attributes:
      progress: What progress is measured by: `TIME` without pauses, or `CHANGE`, the share of what
        was painted.
      min_quality: A video whose quality is lower is refused; 0..1, see `quality`.
    """

    progress: str = TIME
    min_quality: float = 0.0
