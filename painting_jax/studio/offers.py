"""The models on offer, which whoever starts the studio names: a browser chooses one by its key."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from painting_jax import media
from painting_jax.checkpoints import adapters
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.config_checks import read_run
from painting_jax.errors import UserError
from painting_jax.generation import painting_order
from painting_jax.generation.from_run import OWN_SIZE, RunPainter, finetuned_painter
from painting_jax.generation.job import Painter
from painting_jax.generation.overrides import SamplingConfig, SamplingOverrides
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.generation.run import Run
from painting_jax.studio import limits
from painting_jax.studio.settings import Settings
from painting_jax.studio.time_left import Size
from painting_jax.tasks.published import is_finetuned
from painting_jax.training.released import PACKAGED

PACKAGED_KEY = "packaged"


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

    def __init__(self, workdir: pathlib.Path, label: str):
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


@dataclasses.dataclass(frozen=True)
class Offers:
    """All models on offer, by their keys; the first one is chosen by itself."""

    models: dict[str, Offer]

    @classmethod
    def of(
        cls,
        runs: Sequence[str],
        pretrained: str | None,
        loras: Sequence[str] = (),
        loras_2: Sequence[str] = (),
    ) -> "Offers":
        """The package's weights, and what the command line names.

        Args:
          runs: Folders of training runs.
          pretrained: Published weights, a folder or a hub id.
          loras: LoRAs for them, as `generate --lora` takes them.
          loras_2: LoRAs for their second transformer.

        Raises:
          UserError: If one cannot be painted with.
        """
        models: dict[str, Offer] = {PACKAGED_KEY: OfRun(PACKAGED, "The package's own model")}
        for number, run in enumerate(runs, start=1):
            path = pathlib.Path(run)
            models[f"run{number}"] = _of_run(path)
        if pretrained:
            models["published"] = _published(pretrained, loras, loras_2)
        return cls(models)

    def find(self, key: str) -> Offer:
        """A model by its key.

        Raises:
          UserError: If it is not on offer.
        """
        if key not in self.models:
            raise UserError("this model is not on offer any more: choose another one")
        return self.models[key]

    def check(self, settings: Settings, shape_HW: tuple[int, int]) -> None:
        """Checks that a model can paint a picture of a shape with these settings.

        Raises:
          UserError: If it cannot.
        """
        offer = self.find(settings.model)
        traits = offer.traits
        mixture = media.mixture(settings.medium)
        if unknown := [name for name in mixture if name not in traits.media]:
            raise UserError(f"this model was not trained in {media.in_words(unknown[0])}")
        if len(mixture) > 1 and not traits.mixes:
            raise UserError(
                "this model paints in one medium: mixtures need the package's, or a run"
            )
        for is_asked, can, what in (
            (settings.order or settings.edits, traits.takes_regions, "regions"),
            (settings.words, traits.takes_words, "an order in words"),
            (settings.corners or settings.start, traits.takes_canvas, "a canvas to go on from"),
            (settings.other_look, traits.takes_look, "pictures in another look"),
            (settings.size, traits.sizes, "other sizes"),
        ):
            if is_asked and not can:
                raise UserError(f"this model does not take {what}: choose another one")
        settings.choices.check(max(mixture, key=mixture.__getitem__))
        offer.check(settings)
        _, frames, pixels, _ = offer.size(settings, shape_HW)
        if frames * pixels > limits.VOLUME:
            raise UserError(
                f"{frames} frames of that size are more than the studio paints: ask for fewer "
                "frames, or for a smaller size"
            )

    def size(self, settings: Settings, shape_HW: tuple[int, int], *, is_new: bool) -> Size:
        """What the time of a painting depends on."""
        steps, frames, pixels, small = self.find(settings.model).size(settings, shape_HW)
        return Size(steps, frames, pixels, small, is_new)


def _of_run(path: pathlib.Path) -> Offer:
    if not is_finetuned(read_run(path)):
        return OfRun(path, f"Run {path.name}")
    make = functools.partial(finetuned_painter, path)
    return OfPublished(f"Run {path.name}", make, make(SamplingOverrides()).sampling)


def _published(name: str, loras: Sequence[str], loras_2: Sequence[str]) -> Offer:
    folder = Folder.open(name)
    named: list[Any] = [adapters.parse(list(loras))]
    if loras_2:
        named.append(adapters.parse(list(loras_2)))

    def make(overrides: SamplingOverrides, **more: Any) -> PretrainedPainter:
        return PretrainedPainter(folder, overrides, loras=named, **more)

    # It refuses here what cannot be painted with.
    plain = make(SamplingOverrides())
    return OfPublished(plain.label, make, plain.sampling)
