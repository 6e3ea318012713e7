"""`frame_data.h5`, as painvidpro writes it, is read as a process with its metadata."""

import contextlib
import io
import json
import pathlib

import h5py
import numpy as np
import pytest
from PIL import Image

from painting_jax.data import processes, remarks
from painting_jax.data.artwork.frame_data import FrameData
from painting_jax.errors import UserError

PROGRESS = [0.0, 0.2, 0.7, 1.0]


def jpeg(value: int, side: int = 32) -> np.ndarray:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (value, value // 2, 10)).save(buffer, "jpeg", quality=95)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def write(path: pathlib.Path, *, about=None, prompts=(), progress=PROGRESS) -> pathlib.Path:
    """A video of 4 frames from light to dark, in the layout of painvidpro."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blob, text = h5py.vlen_dtype(np.uint8), h5py.string_dtype()
    with h5py.File(path, "w") as file:
        frames = file.create_dataset("frames", (4,), blob)
        for index, value in enumerate((240, 180, 120, 60)):
            frames[index] = jpeg(value)
        file["frame_metadata"] = [
            json.dumps({"frame_index": index, "frame_progress": share, "processor": "p"})
            for index, share in enumerate(progress)
        ]
        references = file.create_dataset("reference_frames", (len(prompts),), blob)
        for index in range(len(prompts)):
            references[index] = jpeg(100 + index)
        file.create_dataset(
            "reference_frame_metadata",
            data=[json.dumps({"prompt": prompt}) for prompt in prompts],
            dtype=text,
            shape=(len(prompts),),
        )
        for name, value in ({"id": "v1", "art_media": '["oil"]'} | (about or {})).items():
            file.attrs[name] = value
    return path


def test_frames_progress_and_medium(tmp_path):
    path = write(tmp_path / "frame_data.h5")
    states = FrameData(path)
    assert (len(states), states.stated["medium"]) == (4, "oil")
    assert states.stated["progress"] == PROGRESS
    first, last = states.pictures([0, 3])
    np.testing.assert_allclose(first[0, 0], (240, 120, 10), atol=3)
    np.testing.assert_allclose(last[0, 0], (60, 30, 10), atol=3)


@pytest.mark.parametrize(
    ("about", "medium"),
    [
        ({"art_media": '["pencil"]', "art_style": '["loomis"]'}, "loomis_portrait"),
        ({"art_media": '["colored pencils"]'}, "colored_pencil"),
        ({"art_media": "acrylic"}, "acrylic"),
    ],
)
def test_media_have_their_names_here(tmp_path, about, medium):
    assert FrameData(write(tmp_path / "frame_data.h5", about=about)).stated["medium"] == medium


def test_an_export_is_a_data_set_with_splits_and_variants(tmp_path):
    prompts = ("a photo-realistic scene", "childish colour pencil drawing", "colouring book", "?")
    for split in ("train", "eval", "test"):
        write(tmp_path / split / "channel" / f"é {split}" / "frame_data.h5", prompts=prompts)
    found, skipped = processes.find([tmp_path], known_media=["oil"])
    assert not skipped
    assert {file.split for file in found} == {"train", "validation", "test"}
    with remarks.collected() as notes:
        record = processes.to_record(found[0], max_frames=10, max_side=64)
    assert [variant.kind for variant in record.variants] == [
        "photo",
        "colored_pencil",
        "line_art",
    ]
    assert "reference 3 says no look that is known" in notes[0]
    np.testing.assert_allclose(record.progress, PROGRESS)
    assert record.medium == "oil"


def test_a_video_that_its_authors_excluded_is_skipped(tmp_path):
    path = write(tmp_path / "frame_data.h5", about={"exclude_video": True})
    found, [skip] = processes.find([path])
    assert not found
    assert "excluded by its own attribute" in skip.reason


def broken(kind: str, path: pathlib.Path) -> None:
    with h5py.File(path, "a") as file:
        if kind == "external_link":
            del file["frames"]
            file["frames"] = h5py.ExternalLink("/etc/hostname", "/frames")
        elif kind == "soft_link":
            file.move("frames", "others")
            file["frames"] = h5py.SoftLink("/others")
        elif kind == "external_storage":
            del file["frames"]
            file.create_dataset("frames", (4,), "u1", external=[("/etc/hostname", 0, 4)])
        elif kind == "virtual":
            del file["frames"]
            layout = h5py.VirtualLayout((4,), "u1")
            layout[:] = h5py.VirtualSource("/etc/hostname", "frames", (4,))
            file.create_virtual_dataset("frames", layout)
        elif kind == "numbers":
            del file["frames"]
            file["frames"] = np.arange(4)
        elif kind == "none":
            del file["frames"]
        elif kind == "huge_picture":
            head = b"P6 100000 100000 255\n"
            file["frames"][3] = np.frombuffer(head + bytes(100), np.uint8)
        elif kind == "huge_entries":
            del file["frames"]
            # Never written, so that the file is small, and read as zeros.
            file.create_dataset("frames", (4,), np.dtype(("u1", (2 * 10**9,))))
        elif kind == "huge_texts":
            del file["frame_metadata"]
            file.create_dataset("frame_metadata", (4,), "S2000000000")
        elif kind == "huge_chunk":
            del file["frames"]
            size = {"maxshape": (None,), "chunks": (10**8,)}
            file.create_dataset("frames", (4,), h5py.vlen_dtype(np.uint8), **size)
        elif kind == "lists_of_floats":
            del file["frames"]
            file.create_dataset("frames", (4,), h5py.vlen_dtype(np.float64))
        elif kind == "two_dimensions":
            del file["frames"]
            file["frames"] = np.zeros((4, 4), np.uint8)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("external_link", "link to elsewhere"),
        ("soft_link", "link to elsewhere"),
        ("external_storage", "stored in other files"),
        ("virtual", "stored in other files"),
        ("numbers", "no encoded picture"),
        ("none", "has no dataset frames"),
        ("huge_picture", "is no picture"),
        ("huge_entries", "frames takes 2000000000 bytes at once"),
        ("huge_texts", "frame_metadata takes 2000000000 bytes at once"),
        ("huge_chunk", "frames takes 1600000000 bytes at once"),
        ("lists_of_floats", "frames holds lists of float64"),
        ("two_dimensions", "must be a list of pictures"),
    ],
)
def test_what_reaches_outside_or_is_no_picture_is_refused(tmp_path, kind, said):
    path = write(tmp_path / "frame_data.h5")
    broken(kind, path)
    with pytest.raises(UserError, match=said) as refusal:
        list(FrameData(path).pictures([0, 3]))
    assert "\n" not in str(refusal.value)


def test_a_heap_in_which_hdf5_would_stay_for_ever_is_refused(tmp_path):
    path = write(tmp_path / "frame_data.h5")
    data = bytearray(path.read_bytes())
    first = data.index(b"GCOL") + 16
    data[first : first + 16] = bytes(16)
    path.write_bytes(data)
    with pytest.raises(UserError, match="a heap of it is torn"):
        FrameData(path)


def test_a_picture_that_claims_gigabytes_is_refused_before_they_are_taken(tmp_path):
    path = write(tmp_path / "frame_data.h5")
    with h5py.File(path) as file:
        start = file["frames"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[start + 16 : start + 20] = (2**32 - 1).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UserError, match="an entry of frames claims over"):
        FrameData(path)


def test_damaged_files_end_in_a_line(tmp_path):
    whole = write(tmp_path / "frame_data.h5", prompts=("photo",)).read_bytes()
    rng, other = np.random.default_rng(0), tmp_path / "other.h5"
    for number in range(60):
        data = bytearray(whole)
        if number < 10:
            data = data[: len(data) * number // 10]
        for at in rng.integers(0, max(1, len(data)), 12 if data else 0):
            data[at] = rng.integers(256)
        other.write_bytes(data)
        with contextlib.suppress(UserError), remarks.collected():
            states = FrameData(other)
            list(states.pictures(range(min(4, len(states)))))
            _ = states.variants
