"""What is added to the record of a recording beyond what its file states."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from painting_jax.data import pictures, remarks, segmentation
from painting_jax.data.enrichment.network import Network
from painting_jax.data.process import Variant
from painting_jax.errors import UserError

if TYPE_CHECKING:
    from painting_jax.data.enrichment.captioner import Captioner
    from painting_jax.data.enrichment.editor import Editor
    from painting_jax.data.enrichment.medium_guesser import MediumGuesser
    from painting_jax.data.enrichment.segmenter import Segmenter


@dataclasses.dataclass(frozen=True)
class Enrichment:
    """Which networks add to records; none by default.

    A network is loaded when it is first needed, once in a process.

    Attributes:
      segments: Finds the segments of the finished picture; None for `segmentation.segment`.
      captions: Tells what is painted where no caption is given; None for no caption.
      medium: CLIP that guesses the medium where none is stated; None for not.
      least_confidence: Confidence below which a guess is not believed, 0..1.
      variants: Diffusion model that makes variants of the finished picture; None for none.
      looks: Looks of these variants, names of `editor.LOOKS`.
      steps: Steps of the diffusion model.
      threads: Number of threads of torch; None leaves it. It does not change the records.
    """

    segments: Network | None = None
    captions: Network | None = None
    medium: Network | None = None
    least_confidence: float = 0.5
    variants: Network | None = None
    looks: tuple[str, ...] = ()
    steps: int = 30
    threads: int | None = None

    @property
    def networks(self) -> tuple[Network, ...]:
        """Those that are used."""
        all_of_them = (self.segments, self.captions, self.medium, self.variants)
        return tuple(network for network in all_of_them if network is not None)

    def segments_of(self, picture_HWC: np.ndarray, name: str) -> np.ndarray:
        """The label map of a picture, uint8[H, W, 3], as `segmentation.segment` numbers it.

        Args:
          picture_HWC: The finished picture.
          name: Name of the recording, for remarks.
        """
        if self.segments is not None:
            labels_HW = _segmenter(self.segments, self.threads)(picture_HWC)
            if labels_HW is not None:
                return labels_HW
            remarks.add(
                f"{name}: {self.segments.path} finds no segments: those of prepare are kept"
            )
        return segmentation.segment(picture_HWC)

    def caption_of(self, picture_HWC: np.ndarray) -> str:
        """A caption of a picture, or ""."""
        if self.captions is None:
            return ""
        return _captioner(self.captions, self.threads)(picture_HWC)

    def medium_of(self, picture_HWC: np.ndarray, name: str) -> str:
        """The medium of a picture whose recording states none.

        Raises:
          UserError: If nobody is sure of it.
        """
        if self.medium is None:
            raise UserError(f"{name} has no medium: give --medium or --guess_medium, or state it")
        medium, confidence = _guesser(self.medium)(picture_HWC)
        guess = f"{medium} (confidence {confidence:.2f})"
        if confidence < self.least_confidence:
            raise UserError(
                f"no medium is stated, and the guess is not sure: {guess}, less than "
                f"--min_confidence={self.least_confidence:g}; state it in a manifest"
            )
        remarks.add(f"{name} states no medium: it is taken for {guess}")
        return medium

    def variants_of(
        self, picture_HWC: np.ndarray, name: str, medium: str, there: Sequence[Variant]
    ) -> tuple[Variant, ...]:
        """Variants of a picture in the looks that are wanted.

        Args:
          picture_HWC: The finished picture.
          name: Name of the recording, for remarks.
          medium: Its medium, of which no variant is made.
          there: Variants that the file holds, which are not made again.
        """
        if self.variants is None:
            return ()
        done = {medium, *(variant.kind for variant in there)}
        return tuple(self._made(picture_HWC, name, [x for x in self.looks if x not in done]))

    def _made(self, picture_HWC: np.ndarray, name: str, looks: Sequence[str]) -> Iterator[Variant]:
        for look in looks:
            edited_HWC = _editor(self.variants, self.threads)(picture_HWC, look, self.steps)
            if edited_HWC is None:
                remarks.add(f"{name}: {self.variants.path} held back the variant {look}")
            else:
                yield Variant(look, pictures.encode(edited_HWC))


NONE = Enrichment()


# Imported late, since torch is an extra and JAX takes a second; kept, once in each process.
@functools.cache
def _segmenter(network: Network, threads: int | None) -> "Segmenter":
    from painting_jax.data.enrichment.segmenter import Segmenter  # noqa: PLC0415

    return Segmenter(network, threads)


@functools.cache
def _captioner(network: Network, threads: int | None) -> "Captioner":
    from painting_jax.data.enrichment.captioner import Captioner  # noqa: PLC0415

    return Captioner(network, threads)


@functools.cache
def _guesser(network: Network) -> "MediumGuesser":
    from painting_jax.data.enrichment.medium_guesser import MediumGuesser  # noqa: PLC0415

    return MediumGuesser(network)


@functools.cache
def _editor(network: Network, threads: int | None) -> "Editor":
    from painting_jax.data.enrichment.editor import Editor  # noqa: PLC0415

    return Editor(network, threads)
