"""The record of one painting process, with its frames in painted order."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import message
from tensorflow_datasets.proto import tf_example_pb2

from painting_jax import media
from painting_jax.data import pictures


@dataclasses.dataclass(frozen=True)
class Variant:
    """The finished picture in another look.

    Attributes:
      kind: Name of a medium, "photo" or "line_art".
      image: Encoded RGB picture.
    """

    kind: str
    image: bytes

    @property
    def other_look(self) -> bool:
        """Whether a painting of it ends in other tones and colours than its own."""
        return self.kind != "photo"


@dataclasses.dataclass(frozen=True)
class Process:
    """One painting process.

    Attributes:
      id: Identifier, unique in its data set.
      frames: N encoded RGB pictures of one size, from the blank canvas to the finished picture.
      progress: float32[N], share of the painting time; increases strictly from 0 to 1.
      medium: Name from `media.MEDIA`.
      caption: Subject and manner of the painting, without the medium.
      reference: Finished picture, encoded.
      variants: Finished picture in other looks; may be empty.
      segments: uint8[H, W] label map of the finished picture, with labels in painting order and
        0 = unlabelled; uint8[0, 0] if there is none.
      source: Name of the picture or video that the process was made from. All processes of one
        source share a split.
      licence: Licence of the source.
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

    def __post_init__(self):
        """Checks the attributes.

        Raises:
          ValueError: If they do not fulfil the description above.
        """
        if self.medium not in media.MEDIA:
            raise ValueError(f"{self.id}: unknown medium {self.medium!r}")
        if len(self.frames) != len(self.progress) or len(self.frames) < 2:
            raise ValueError(
                f"{self.id}: {len(self.frames)} frames with {len(self.progress)} progress values"
            )
        if self.progress[0] != 0 or self.progress[-1] != 1 or np.any(np.diff(self.progress) <= 0):
            raise ValueError(f"{self.id}: progress must rise strictly from 0 to 1")

    @property
    def frame_HW(self) -> tuple[int, int]:
        """Height and width of the frames, from the header of the last one.

        Raises:
          UserError: If it is damaged.
        """
        return pictures.stored_size(self.frames[-1])


def features() -> tfds.features.FeaturesDict:
    """The TFDS features of a record.

    Frames are plain byte strings, not `Image`, so that a reader decodes only the frames it needs.
    Segments are bytes too (`pictures.encode_labels`): without TensorFlow, TFDS cannot store a
    `Tensor` with two unknown dimensions.
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
            "segments": blob,
            "source": tfds.features.Text(),
            "licence": tfds.features.Text(),
        }
    )


def to_example(process: Process) -> dict:
    """Converts a record to the form that `features()` stores."""
    return {
        "id": process.id,
        "frames": list(process.frames),
        "progress": np.asarray(process.progress, np.float32),
        "medium": process.medium,
        "caption": process.caption,
        "reference": process.reference,
        "variants": [{"kind": v.kind, "image": v.image} for v in process.variants],
        "segments": pictures.encode_labels(process.segments),
        "source": process.source,
        "licence": process.licence,
    }


def serialize(process: Process) -> bytes:
    """A record as it is stored; `from_example` reverses it."""
    stored = features()
    serializer = tfds.core.example_serializer.ExampleSerializer(stored.get_serialized_info())
    return serializer.serialize_example(stored.encode_example(to_example(process)))


def from_example(serialized: bytes, medium_names: Sequence[str]) -> Process:
    """Parses a stored record, a `tf.train.Example`. Pictures are not decoded.

    TFDS could parse it too, but it makes arrays of every field: that took a sixth of the time of
    making a batch at 64x64.

    Args:
      serialized: A record read from a TFDS data source with `DeserializeMethod.RAW_BYTES`.
      medium_names: Media of the data set, in the order of its class labels. With them, data sets
        stay readable when `media.MEDIA` grows.

    Raises:
      ValueError: If the record cannot be parsed, or `Process` rejects it.
      UserError: If its label map is damaged.
    """

    def blob(name: str) -> bytes:
        return fields[name].bytes_list.value[0]

    def text(name: str) -> str:
        return blob(name).decode()

    try:
        fields = tf_example_pb2.Example.FromString(serialized).features.feature
        return Process(
            id=text("id"),
            frames=tuple(fields["frames"].bytes_list.value),
            progress=np.array(fields["progress"].float_list.value, np.float32),
            medium=medium_names[fields["medium"].int64_list.value[0]],
            caption=text("caption"),
            reference=blob("reference"),
            variants=tuple(
                Variant(kind.decode(), image)
                for kind, image in zip(
                    fields["variants/kind"].bytes_list.value,
                    fields["variants/image"].bytes_list.value,
                    strict=True,
                )
            ),
            segments=pictures.decode_labels(blob("segments")),
            source=text("source"),
            licence=text("licence"),
        )
    except (message.DecodeError, IndexError) as error:
        raise ValueError(f"no painting process: {error}") from None
