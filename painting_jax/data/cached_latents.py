"""Latents and conditions that were encoded beforehand: their record, and batches made of them.

A data set of them is made by `painting_jax.caching`, from one of pictures. Their rows are the same,
in the same order, and so are the draws that each row takes from the generator: batch k is made of
the same processes, variants and captions.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from google.protobuf import message
from tensorflow_datasets.proto import tf_example_pb2

from painting_jax import media
from painting_jax.data import dataset_folder, packed_arrays, pipeline
from painting_jax.data.buckets import Shapes
from painting_jax.data.canvas import Canvas
from painting_jax.data.index import Row
from painting_jax.data.pipeline import Batch
from painting_jax.data.records import Records
from painting_jax.diffusion.reverse_painting import CONDITIONS, LATENTS
from painting_jax.errors import UserError
from painting_jax.text import embeddings

# The condition that depends on the caption. All others depend on the picture.
TEXT = "text_BLD"
# File of a data set: the embedding of the empty prompt, which replaces one that is dropped.
EMPTY_PROMPT = "empty_prompt.safetensors"

_LATENTS = "latents"
_CAPTIONED, _UNCAPTIONED = "text", "text_without_caption"


@dataclasses.dataclass(frozen=True)
class CachedPicture:
    """A picture that a process is conditioned on.

    Attributes:
      other_look: Whether a painting of it ends in other tones and colours than its own.
      conditions: The model's conditions that depend on the picture, without their batch dimension.
      latents_THWC: Latents of the reversed clip where they begin with this picture, of a model that
        is given it as a frame; None where they are those of the first picture of the process.
    """

    other_look: bool
    conditions: Mapping[str, np.ndarray]
    latents_THWC: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class CachedProcess:
    """One painting process, encoded.

    Attributes:
      id: Identifier.
      medium: Name from `media.MEDIA`.
      caption: Subject and manner of the painting, without the medium.
      source: Name of the picture or video that the process was made from.
      licence: Licence of the source.
      frames: Number of frames that are stored of it as pictures.
      picture_HW: Height and width of these frames.
      pictures: The finished picture, then its variants.
      text_LD: Embedding of the prompt with the caption, without padding.
      uncaptioned_LD: Embedding of the prompt without it.
    """

    id: str
    medium: str
    caption: str
    source: str
    licence: str
    frames: int
    picture_HW: tuple[int, int]
    pictures: Sequence[CachedPicture]
    text_LD: np.ndarray
    uncaptioned_LD: np.ndarray


def features() -> tfds.features.FeaturesDict:
    """The TFDS features of a record. Its arrays are one byte string, see `packed_arrays`."""
    return tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "medium": tfds.features.ClassLabel(names=list(media.MEDIA)),
            "caption": tfds.features.Text(),
            "source": tfds.features.Text(),
            "licence": tfds.features.Text(),
            "frames": tfds.features.Scalar(np.int64),
            "picture_size": tfds.features.Tensor(shape=(2,), dtype=np.int64),
            "other_looks": tfds.features.Sequence(tfds.features.Scalar(np.int64)),
            "arrays": tfds.features.Scalar(np.object_),
        }
    )


def serialize(process: CachedProcess, dtype: str) -> bytes:
    """A record as it is stored; `from_example` reverses it.

    Args:
      process: The record.
      dtype: A key of `packed_arrays.DTYPES`.
    """
    arrays = {_CAPTIONED: process.text_LD, _UNCAPTIONED: process.uncaptioned_LD}
    for place, picture in enumerate(process.pictures):
        arrays |= {f"{place}/{name}": array for name, array in picture.conditions.items()}
        if picture.latents_THWC is not None:
            arrays[f"{place}/{_LATENTS}"] = picture.latents_THWC
    stored = features()
    serializer = tfds.core.example_serializer.ExampleSerializer(stored.get_serialized_info())
    return serializer.serialize_example(
        stored.encode_example(
            {
                "id": process.id,
                "medium": process.medium,
                "caption": process.caption,
                "source": process.source,
                "licence": process.licence,
                "frames": process.frames,
                "picture_size": np.array(process.picture_HW),
                "other_looks": [int(picture.other_look) for picture in process.pictures],
                "arrays": packed_arrays.pack(arrays, dtype),
            }
        )
    )


def from_example(serialized: bytes, medium_names: Sequence[str]) -> CachedProcess:
    """Parses a stored record, a `tf.train.Example`.

    Args:
      serialized: A record as it is stored.
      medium_names: Media of the data set, in the order of its class labels.

    Raises:
      ValueError: If the record cannot be parsed.
    """

    def text(name: str) -> str:
        return fields[name].bytes_list.value[0].decode()

    def numbers(name: str) -> Sequence[int]:
        return fields[name].int64_list.value

    try:
        fields = tf_example_pb2.Example.FromString(serialized).features.feature
        arrays = packed_arrays.unpack(fields["arrays"].bytes_list.value[0])
        captioned, uncaptioned = arrays.pop(_CAPTIONED), arrays.pop(_UNCAPTIONED)
        of_pictures: list[dict[str, np.ndarray]] = [{} for _ in numbers("other_looks")]
        for name, array in arrays.items():
            place, _, field = name.partition("/")
            of_pictures[int(place)][field] = array
        if _LATENTS not in of_pictures[0]:
            raise ValueError("it has no latents")
        height, width = numbers("picture_size")
        return CachedProcess(
            id=text("id"),
            medium=medium_names[numbers("medium")[0]],
            caption=text("caption"),
            source=text("source"),
            licence=text("licence"),
            frames=numbers("frames")[0],
            picture_HW=(height, width),
            pictures=tuple(
                CachedPicture(bool(other_look), found, found.pop(_LATENTS, None))
                for other_look, found in zip(numbers("other_looks"), of_pictures, strict=True)
            ),
            text_LD=captioned,
            uncaptioned_LD=uncaptioned,
        )
    except (message.DecodeError, LookupError) as error:
        raise ValueError(f"no encoded process: {error}") from None


class CachedSource(Records[CachedProcess]):
    """The encoded processes of one split."""

    def __init__(self, path: epath.PathLike, split: str):
        """Opens a data set.

        Args:
          path: Folder of the data set.
          split: "train", "validation" or "test".

        Raises:
          UserError: If it has no such split, or if it is damaged.
        """
        super().__init__(dataset_folder.read(path, features()), split)

    def _parsed(self, serialized: bytes) -> CachedProcess:
        return from_example(serialized, self._media)

    def _row(self, record: CachedProcess) -> Row:
        return Row(record.id, record.medium, record.caption, record.frames, *record.picture_HW)

    def empty_prompt(self) -> np.ndarray:
        """The padded embedding of the empty prompt, float32[L, D].

        Raises:
          UserError: If it is damaged.
        """
        path = self.path / EMPTY_PROMPT
        try:
            [embedding_LD] = packed_arrays.unpack(path.read_bytes()).values()
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is damaged ({error}): prepare it with --overwrite") from None
        return embeddings.pad([embedding_LD.astype(np.float32)])[0]


@dataclasses.dataclass(frozen=True)
class CachedExamples:
    """Turns an encoded process into one row of a batch, a tree of arrays. It is a `Maker`.

    Attributes:
      frames: Number of frames T that were encoded.
      shapes: The shapes of the pictures; with buckets, rows have the array judged_BHW.
      spatial: Pixels along one side of a latent.
      variant_probability: Probability, in training, that the reference is a stored variant (if
        any) instead of the finished picture.
      caption_probability: Probability, in training, that the caption is given and not empty.
      even_frames: As `even` in `choose_frames`.
    """

    frames: int
    shapes: Shapes
    spatial: int
    variant_probability: float = 0.0
    caption_probability: float = 1.0
    even_frames: bool = False

    def __post_init__(self):
        pipeline.check_probabilities(
            variant_probability=self.variant_probability,
            caption_probability=self.caption_probability,
        )

    def of(self, record: CachedProcess, index: int, rng: np.random.Generator | None) -> Batch:
        """Makes one row: the arrays `LATENTS` and `CONDITIONS` of `reverse_painting`.

        Args:
          record: The encoded process.
          index: Row of the process in the split.
          rng: Random generator for the choice of reference and caption; None for evaluation.
        """
        # The frames were chosen when they were encoded. The numbers that choosing them takes from
        # the generator are taken all the same: what is drawn next is as with pictures.
        pipeline.choose_frames(np.array([0.0, 1.0]), self.frames, rng, even=self.even_frames)
        variant, with_caption = pipeline.choose_conditions(
            rng, len(record.pictures) - 1, self.variant_probability, self.caption_probability
        )
        picture = record.pictures[0 if variant is None else 1 + variant]
        latents_THWC = picture.latents_THWC
        if latents_THWC is None:
            latents_THWC = record.pictures[0].latents_THWC
        text_LD = record.text_LD if with_caption else record.uncaptioned_LD
        row: Batch = {
            LATENTS: latents_THWC,
            CONDITIONS: {**picture.conditions, TEXT: embeddings.pad([text_LD])[0]},
            "index_B": np.int32(index),
        }
        if self.shapes.buckets:
            row["judged_BHW"] = Canvas.of(self.shapes, record.picture_HW).judged()
        return row

    def sides(self, batch: Mapping[str, Any]) -> tuple[int, int]:
        """Height and width in pixels of the pictures of a row, or of a batch."""
        height, width = batch[LATENTS].shape[-3:-1]
        return self.spatial * height, self.spatial * width
