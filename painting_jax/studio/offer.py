"""A model on offer: what it can be asked for, and painters with a person's settings."""

import dataclasses
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from etils import epath

from painting_jax import media
from painting_jax.config_checks import read_run
from painting_jax.generation import painting_order
from painting_jax.generation.from_run import OWN_SIZE, RunPainter
from painting_jax.generation.job import Painter
from painting_jax.generation.overrides import SamplingConfig, SamplingOverrides
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.generation.run import Run
from painting_jax.studio import limits
from painting_jax.studio.settings import Settings


@dataclasses.dataclass(frozen=True)
class Traits:
    """What a model can be asked for, for the page and for checks.

    Attributes:
      label: Its name.
      media: Media that it knows.
      frames: Frames that it makes by itself.
      steps: Steps that it takes by itself.
      sizes: Smallest and largest longer side; None = it has its own.
      takes_regions: Whether it is told of regions and their order.
      takes_words: Whether it is told an order in words.
      takes_canvas: Whether it goes on from a canvas.
      takes_look: Whether it is told that a picture is another look.
      mixes: Whether it paints in mixtures of media.
    """

    label: str
    media: tuple[str, ...]
    frames: int
    steps: int
    sizes: tuple[int, int] | None
    takes_regions: bool
    takes_words: bool
    takes_canvas: bool
    takes_look: bool
    mixes: bool


class Offer(Protocol):
    """A model on offer.

    Attributes:
      traits: What it can be asked for.
    """

    traits: Traits

    def check(self, settings: Settings) -> None:
        """Checks settings, without loading weights.

        Raises:
          UserError: If it cannot paint with them.
        """
        ...

    def load(self) -> None:
        """Loads its weights, if they are not yet."""
        ...

    def release(self) -> None:
        """Lets go of its weights."""
        ...

    def painter(
        self,
        settings: Settings,
        canvas_HWC: np.ndarray | None,
        on_step: Callable[[], object],
    ) -> Painter:
        """A painter with these settings, which calls `on_step` after each step."""
        ...

    def size(self, settings: Settings, shape_HW: tuple[int, int]) -> tuple[int, int, int, bool]:
        """Steps, frames, pixels of a frame, and whether steps are small, see `time_left.Size`."""
        ...


class OfRun:
    """A model of its own: the package's, or that of a training run.

    Args:
      workdir: Folder of the run.
      label: Its name on the page.
    """

    def __init__(self, workdir: epath.PathLike, label: str):
        config = read_run(workdir)
        self._workdir = workdir
        self._run: Run | None = None
        any_size = bool(config.model.pixel_layers)
        self.traits = Traits(
            label=label,
            media=tuple(name for name in config.model.media if name in media.MEDIA),
            frames=config.data.frames,
            steps=config.sampling.steps,
            sizes=limits.SIZE if any_size else None,
            takes_regions=True,
            takes_words=False,
            takes_canvas=any_size and bool(config.model.canvas_guides),
            takes_look=bool(config.model.mark_other_looks),
            mixes=True,
        )
        self._own_HW = config.data.height, config.data.width

    def check(self, settings: Settings) -> None:
        """Refuses nothing more than its traits do."""

    def load(self) -> None:
        """Loads its weights, if they are not yet."""
        self._run = self._run or Run.load(self._workdir)

    def release(self) -> None:
        """Lets go of its weights."""
        self._run = None

    def painter(
        self,
        settings: Settings,
        canvas_HWC: np.ndarray | None,
        on_step: Callable[[], object],
    ) -> Painter:
        """A painter with these settings."""
        self.load()
        changed = bool(settings.edits or settings.order)
        return RunPainter(
            self._run,
            segments="edited" if changed else "automatic",
            other_look=settings.other_look,
            prompt=settings.whole_prompt,
            frames=settings.frames,
            steps=settings.steps,
            seed=settings.seed,
            size=settings.size,
            part=(settings.start, 1.0),
            canvas_HWC=canvas_HWC,
            from_estimated=False,
            on_step=on_step,
        )

    def size(self, settings: Settings, shape_HW: tuple[int, int]) -> tuple[int, int, int, bool]:
        """See `Offer.size`."""
        steps, frames = settings.steps or self.traits.steps, settings.frames or self.traits.frames
        if self.traits.sizes is None:
            return steps, frames, math.prod(self._own_HW), False
        longer = settings.size or min(max(shape_HW), OWN_SIZE)
        return steps, frames, round(longer**2 * min(shape_HW) / max(shape_HW)), True


class OfPublished:
    """Published weights, with or without LoRAs, or a run that finetuned some.

    Args:
      label: Its name on the page.
      make: Makes a painter of sampling overrides and a callback after each step.
      own: Its sampling settings by themselves.
    """

    def __init__(
        self,
        label: str,
        make: Callable[..., PretrainedPainter],
        own: SamplingConfig,
    ):
        self._make, self._own = make, own
        self.traits = Traits(
            label=label,
            media=tuple(media.MEDIA),
            frames=own.frames,
            steps=own.steps,
            sizes=None,
            takes_regions=False,
            takes_words=True,
            takes_canvas=True,
            takes_look=False,
            mixes=False,
        )

    def check(self, settings: Settings) -> None:
        """Makes a painter, which refuses what it cannot do."""
        self.painter(settings, None, lambda: None)

    def load(self) -> None:
        """Does nothing: their weights are loaded part by part, while they paint."""

    def release(self) -> None:
        """Does nothing: no weights are held between two paintings."""

    def painter(
        self,
        settings: Settings,
        canvas_HWC: np.ndarray | None,
        on_step: Callable[[], object],
    ) -> Painter:
        """A painter with these settings."""
        # A prompt replaces the medium's own, in which the manner has no place.
        overrides = SamplingOverrides(
            steps=settings.steps,
            frames=settings.frames,
            prompt=settings.whole_prompt,
            seed=settings.seed,
            order=painting_order.parts(settings.words),
            canvas_HWC=canvas_HWC,
            canvas_progress=settings.start,
        )
        return self._make(overrides, on_step=on_step)

    def size(self, settings: Settings, shape_HW: tuple[int, int]) -> tuple[int, int, int, bool]:
        """See `Offer.size`."""
        steps, frames = settings.steps or self._own.steps, settings.frames or self._own.frames
        return steps, frames, self._own.max_area, False
