import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from painting_jax import media
from painting_jax.data import pictures, pipeline, process
from painting_jax.errors import UserError
from tests.synthetic import recording


def _process(**changes) -> process.Process:
    frames = tuple(pictures.encode(frame) for frame in recording(count=3))
    fields = {
        "id": "a/oil/0",
        "frames": frames,
        "progress": np.array([0, 0.25, 1], np.float32),
        "medium": "oil",
        "caption": "a café, on a warm ground",
        "reference": frames[-1],
        "variants": (process.Variant("photo", frames[1]), process.Variant("line_art", frames[0])),
        "segments": np.arange(48 * 64, dtype=np.uint8).reshape(48, 64),
        "source": "a",
        "licence": "CC0",
    }
    return process.Process(**fields | changes)


def _same(a: process.Process, b: process.Process) -> bool:
    def plain(record):
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in dataclasses.asdict(record).items()
        }

    return plain(a) == plain(b)


def _serialized(record: process.Process) -> bytes:
    features = process.features()
    encoded = features.encode_example(process.to_example(record))
    serializer = tfds.core.example_serializer.ExampleSerializer(features.get_serialized_info())
    return serializer.serialize_example(encoded)


@pytest.mark.parametrize(
    "changes", [{}, {"variants": ()}, {"segments": np.zeros((0, 0), np.uint8)}, {"caption": ""}]
)
def test_record_round_trips_through_tfds(changes):
    record = _process(**changes)
    assert _same(process.from_example(_serialized(record), list(media.MEDIA)), record)


def test_direct_parsing_agrees_with_tfds(painted_dir):
    source = pipeline.DataSource(painted_dir, "train")
    examples = tfds.builder_from_directory(source.path).as_data_source(split="train")
    for index, example in enumerate(examples):
        record = source.record(index)
        assert record.frames == tuple(example["frames"])
        assert record.id.encode() == example["id"]
        assert record.variants == tuple(
            process.Variant(kind.decode(), image)
            for kind, image in zip(
                example["variants"]["kind"], example["variants"]["image"], strict=True
            )
        )
        np.testing.assert_array_equal(record.progress, example["progress"])


def test_old_class_labels_keep_their_meaning():
    serialized = _serialized(_process(medium="acrylic"))
    assert process.from_example(serialized, ["ink", "oil"]).medium == "ink"


@pytest.mark.parametrize(
    "changes",
    [
        {"medium": "crayon"},
        {"progress": np.array([0, 1], np.float32)},
        {"progress": np.array([0, 0, 1], np.float32)},
        {"progress": np.array([0.1, 0.5, 1], np.float32)},
        {"progress": np.array([0, 0.5, 0.9], np.float32)},
        {"frames": (b"",), "progress": np.array([0], np.float32)},
    ],
)
def test_broken_promises_raise(changes):
    with pytest.raises(ValueError, match="a/oil/0"):
        _process(**changes)


def test_damaged_records_are_told():
    serialized = _serialized(_process())
    for damaged in (b"", serialized[: len(serialized) // 2], b"\xff" + serialized):
        with pytest.raises((ValueError, UserError)):
            process.from_example(damaged, list(media.MEDIA))
