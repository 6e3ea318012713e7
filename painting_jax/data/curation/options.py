"""What a user may choose of the cleaning of videos."""

import dataclasses

from painting_jax.data.enrichment.network import Network

# What the progress of a process is measured by.
TIME, CHANGE = "time", "change"
MEASURES = (TIME, CHANGE)

# What lies before a canvas.
PROMPTS = ("hand", "arm", "paint brush", "pencil", "pen", "palette knife")


@dataclasses.dataclass(frozen=True)
class Prompted:
    """Networks of transformers that are told what lies before the canvas.

    Attributes:
      model: A SAM 3, or a detector that takes text.
      prompts: What it is asked for.
      mask_model: A SAM or SAM 2 that makes masks of a detector's boxes; None for GrabCut.
      threads: Number of threads of torch; None leaves it. It does not change the records.
    """

    model: Network
    prompts: tuple[str, ...] = PROMPTS
    mask_model: Network | None = None
    threads: int | None = None

    @property
    def networks(self) -> tuple[Network, ...]:
        """Those that are used."""
        return (self.model, *[self.mask_model] * (self.mask_model is not None))


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
