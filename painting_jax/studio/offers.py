"""The models on offer, which whoever starts the studio names: a browser chooses one by its key."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from etils import epath

from painting_jax import media
from painting_jax.checkpoints import adapters
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.config_checks import read_run
from painting_jax.errors import UserError
from painting_jax.generation.from_run import finetuned_painter
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.studio import limits
from painting_jax.studio.offer import Offer, OfPublished, OfRun
from painting_jax.studio.settings import Settings
from painting_jax.studio.time_left import Size
from painting_jax.tasks.published import is_finetuned
from painting_jax.training.released import PACKAGED

PACKAGED_KEY = "packaged"


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
        max_area: int | None = None,
    ) -> "Offers":
        """The package's weights, and what the command line names.

        Args:
          runs: Folders of training runs.
          pretrained: Published weights, a folder or a hub id.
          loras: LoRAs for them, as `generate --lora` takes them.
          loras_2: LoRAs for their second transformer.
          max_area: Pixels of a frame that they paint at most; None = as they were trained.

        Raises:
          UserError: If one cannot be painted with.
        """
        models: dict[str, Offer] = {PACKAGED_KEY: OfRun(PACKAGED, "The package's own model")}
        for number, run in enumerate(runs, start=1):
            path = epath.Path(run)
            models[f"run{number}"] = _of_run(path)
        if pretrained:
            models["published"] = _published(pretrained, loras, loras_2, max_area)
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
                "this model paints in one medium: for mixtures, choose the package's model or a run"
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


def _of_run(path: epath.Path) -> Offer:
    if not is_finetuned(read_run(path)):
        return OfRun(path, f"Run {path.name}")
    make = functools.partial(finetuned_painter, path)
    return OfPublished(f"Run {path.name}", make, make(SamplingOverrides()).sampling)


def _published(
    name: str, loras: Sequence[str], loras_2: Sequence[str], max_area: int | None
) -> Offer:
    folder = Folder.open(name)
    named: list[Any] = [adapters.parse(list(loras))]
    if loras_2:
        named.append(adapters.parse(list(loras_2)))

    def make(overrides: SamplingOverrides, **more: Any) -> PretrainedPainter:
        overrides = dataclasses.replace(overrides, max_area=max_area)
        return PretrainedPainter(folder, overrides, loras=named, **more)

    # It refuses here what cannot be painted with.
    plain = make(SamplingOverrides())
    return OfPublished(plain.label, make, plain.sampling)
