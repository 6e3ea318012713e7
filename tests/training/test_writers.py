"""Event files hold what was written, and processes that do not lead write nothing."""

import io
import itertools
import struct
import time

import numpy as np
from PIL import Image
from tensorboardX.proto.event_pb2 import Event

from painting_jax.training.writers import Writer


def events(folder) -> list[Event]:
    """The events of a folder's only file: records of length, checksum, data, checksum."""
    (path,) = folder.glob("events.out.tfevents.*")
    file, found = io.BytesIO(path.read_bytes()), []
    while header := file.read(12):
        found.append(Event.FromString(file.read(struct.unpack("<Q", header[:8])[0])))
        file.read(4)
    return found


def test_events_hold_scalars_images_and_texts(tmp_path, capsys):
    picture_HWC = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    writer = Writer(tmp_path / "logs")
    writer.write_texts(0, {"parameters": "a table"})
    writer.write_scalars(10, {"loss": np.float32(0.25), "rate": 1e-4})
    writer.write_images(20, {"samples": picture_HWC})
    writer.close()
    _, text, loss, rate, image = events(tmp_path / "logs")
    assert [event.step for event in (text, loss, rate, image)] == [0, 10, 10, 20]
    assert text.summary.value[0].tag == "parameters/text_summary"
    assert text.summary.value[0].tensor.string_val == [b"a table"]
    assert (loss.summary.value[0].tag, loss.summary.value[0].simple_value) == ("loss", 0.25)
    encoded = image.summary.value[0].image.encoded_image_string
    np.testing.assert_array_equal(Image.open(io.BytesIO(encoded)), picture_HWC)
    assert capsys.readouterr().out == "step 10  loss 0.25  rate 0.0001\n"


def test_a_clock_that_jumps_back_does_not_keep_events_from_readers(tmp_path, monkeypatch):
    wall, seconds = time.time(), itertools.count(step=31.0)
    monkeypatch.setattr(time, "time", lambda: wall - 10**6)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    writer = Writer(tmp_path)
    for step in range(3):
        writer.write_texts(step, {"note": "x"})
        assert len(events(tmp_path)) == 2 + step
    writer.close()


def test_flushed_events_are_visible_while_the_file_is_open(tmp_path):
    writer = Writer(tmp_path)
    writer.write_scalars(1, {"loss": 1.0})
    writer.write_scalars(2, {"loss": 1.0})
    writer.flush()
    assert len(events(tmp_path)) == 3
    writer.close()


def test_without_a_folder_nothing_is_written(capsys):
    writer = Writer(None)
    writer.write_scalars(1, {"loss": 1.0})
    writer.flush()
    writer.close()
    assert not capsys.readouterr().out
