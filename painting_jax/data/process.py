"""The record: one painting process, stored in the order it was painted."""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from painting_jax import media


@dataclasses.dataclass(frozen=True)
class Variant:
    """The finished picture in another look.

    Attributes:
      kind: a medium's name, "photo" or "line_art".
      image: the encoded RGB picture.
    """

    kind: str
    image: bytes


@dataclasses.dataclass(frozen=True)
class Process:
    """One painting process.

    Attributes:
      id: unique in its dataset.
      frames: N encoded RGB pictures of one size, from blank canvas to finished.
      progress: float32[N], share of the painting time; rises strictly from 0 to 1.
      medium: a name from `media.MEDIA`.
      caption: what is painted and in what manner, without the medium.
      reference: the finished picture, encoded.
      variants: the same picture in other looks; may be empty.
      segments: uint8[H, W] label map of the finished picture, labels in painting order,
        0 = unlabelled; uint8[0, 0] when there is none.
      source: the picture or video it was made from; all processes of one source share a split.
      licence: of the source.
    """

    id: str
    frames: tuple[bytes, ...]
    progress: np.ndarray
    medium: str
    caption: str
    reference: bytes
    variants: tuple[Variant, ...] = ()
    segments: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    source: str = ""
    licence: str = ""


def features() -> tfds.features.FeaturesDict:
    """The TFDS features of a record.

    Frames are plain byte strings rather than `Image`, so that a reader decodes only those it chose.
    """
    blob = tfds.features.Scalar(np.object_)
    return tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "frames": tfds.features.Sequence(blob),
            "progress": tfds.features.Tensor(shape=(None,), dtype=np.float32),
            "medium": tfds.features.ClassLabel(names=list(media.MEDIA)),
            "caption": tfds.features.Text(),
            "reference": blob,
            "variants": tfds.features.Sequence({"kind": tfds.features.Text(), "image": blob}),
            "segments": tfds.features.Tensor(shape=(None, None), dtype=np.uint8),
            "source": tfds.features.Text(),
            "licence": tfds.features.Text(),
        }
    )
