"""What a user may choose of the cleaning of videos."""

import dataclasses

# What the progress of a process is measured by.
TIME, CHANGE = "time", "change"
MEASURES = (TIME, CHANGE)

# What lies before a canvas.
PROMPTS = ("hand", "arm", "paint brush", "pencil", "pen", "palette knife")


@dataclasses.dataclass(frozen=True)
class Prompted:
    """Networks of transformers that are told what lies before the canvas.

    Attributes:
      model: Folder or hub id of a SAM 3, or of a detector that takes text.
      prompts: What it is asked for.
      mask_model: Folder or hub id of a SAM or SAM 2 that makes masks of a detector's boxes; None
        for GrabCut.
    """

    model: str
    prompts: tuple[str, ...] = PROMPTS
    mask_model: str | None = None


@dataclasses.dataclass(frozen=True)
class Cleaning:
    """How videos are cleaned.

    Attributes:
      progress: What progress is measured by: `TIME` without pauses, or `CHANGE`, the share of what
        was painted.
      min_quality: A video whose quality is lower is refused; 0..1, see `quality`.
      occluders: Networks that find hands and tools; None for motion alone.
    """

    progress: str = TIME
    min_quality: float = 0.0
    occluders: Prompted | None = None
