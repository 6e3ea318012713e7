"""`frame_data.pkl` and what belongs to it are read as one process with its metadata."""

import contextlib
import pickle

import numpy as np
import pytest

from painting_jax.data import pictures, processes, remarks
from painting_jax.data.artwork.frame_pickles import FramePickles
from painting_jax.errors import UserError
from tests.data.artwork.exported import write
from tests.synthetic import recording

FRAMES = recording(count=4)
PROGRESS = [0.1, 0.2, 0.7, 1.0]
TABLE = """source,video_url,video_title,art_style,art_genre,art_media
channel,a,A,realism,still life,oil
channel,b,B,loomis,portrait,pencil
"""


def find(root, **options):
    found, skipped = processes.find([root], **options)
    return found, [f"{skip.name}: {skip.reason}" for skip in skipped]


def test_frames_and_progress(tmp_path):
    states = FramePickles(write(tmp_path, FRAMES, progress=PROGRESS, form="png"))
    assert len(states) == 4
    assert states.stated["progress"] == PROGRESS
    first, last = states.pictures([0, 3])
    np.testing.assert_array_equal(first, FRAMES[0])
    np.testing.assert_array_equal(last, FRAMES[3])


def test_an_export_is_a_data_set_of_whole_processes(tmp_path):
    for split, name in (("train", "a"), ("eval", "a"), ("test", "a"), ("test", "b")):
        folder = tmp_path / split / "channel" / name
        write(folder, FRAMES, progress=PROGRESS)
        (folder / "reference_frame_tags.pkl").write_bytes(pickle.dumps(["tag"]))
        (tmp_path / split / "metadata.csv").write_text(TABLE)
    found, skipped = find(tmp_path, known_media=["oil", "loomis_portrait"])
    assert not skipped
    assert [(file.split, file.medium) for file in found] == [
        ("validation", "oil"),
        ("test", "oil"),
        ("test", "loomis_portrait"),
        ("train", "oil"),
    ]
    record = processes.to_record(found[0], max_frames=10, max_side=999)
    np.testing.assert_allclose(record.progress, (np.array(PROGRESS) - 0.1) / 0.9, rtol=1e-6)


def test_the_reference_is_the_finished_picture_of_a_record(tmp_path):
    path = write(tmp_path, FRAMES)
    other_HWC = recording(seed=1, count=2, height=96, width=128)[-1]
    (tmp_path / "reference_frame.png").write_bytes(pictures.encode(other_HWC, "png"))
    [file], _ = find(path, medium="oil")
    record = processes.to_record(file, max_frames=10, max_side=999)
    shown_HWC = pictures.decode(record.reference).astype(int)
    assert np.abs(shown_HWC - pictures.resize(other_HWC, 48, 64)).mean() < 2
    assert record.frames[-1] != record.reference


def test_a_reference_of_another_shape_is_named_and_not_used(tmp_path):
    path = write(tmp_path, FRAMES)
    (tmp_path / "reference_frame.png").write_bytes(pictures.encode(FRAMES[-1][:, :40], "png"))
    [file], _ = find(path, medium="oil")
    with remarks.collected() as notes:
        record = processes.to_record(file, max_frames=10, max_side=999)
    assert record.reference == record.frames[-1]
    assert "has another shape than the frames" in notes[0]


def test_without_progress_frames_are_evenly_spaced(tmp_path):
    path = write(tmp_path, FRAMES)
    (tmp_path / "frame_progress.pkl").unlink()
    [file], _ = find(path)
    loaded = processes.load(file, max_frames=10, max_side=99)
    np.testing.assert_allclose(loaded.progress_T, [0, 1 / 3, 2 / 3, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ([0.0, 0.5, 1.0], "3 values for 4 frames"),
        ([0.0, 0.5, 0.2, 1.0], "rise within 0 to 1"),
        ([0.0, 0.5, 0.7, 1.1], "rise within 0 to 1"),
        ([-0.1, 0.5, 0.7, 1.0], "rise within 0 to 1"),
        ([0.5] * 4, "rise within 0 to 1"),
        ([0.0, float("nan"), 0.7, 1.0], "rise within 0 to 1"),
        ([0.0, 0.5, 0.7, b"1"], "rise within 0 to 1"),
        ([0.0, 0.5, 0.7, [1.0]], "rise within 0 to 1"),
    ],
)
def test_progress_that_does_not_fit_is_refused(tmp_path, progress, said):
    with pytest.raises(UserError, match=said):
        FramePickles(write(tmp_path, FRAMES, progress=progress))


def test_progress_that_was_clipped_is_remarked_on(tmp_path):
    with remarks.collected() as notes:
        FramePickles(write(tmp_path, FRAMES, progress=[0.5, 1, 1, 1]))
    assert "67% of the frames the progress of the frame before" in notes[0]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([0.5, 0.7], "encoded pictures alone"),
        ([pictures.encode(FRAMES[0])], "has 1 frames"),
        ([b"no picture"] * 4, "frame 0 is no picture"),
        ([b"P6 100000 100000 255\n" + bytes(100)] * 4, "frame 0 is no picture"),
    ],
)
def test_what_are_no_pictures_is_refused(tmp_path, frames, said):
    path = write(tmp_path, FRAMES)
    path.write_bytes(pickle.dumps(frames))
    with pytest.raises(UserError, match=said):
        list(FramePickles(path).pictures([0]))


def test_a_table_that_cannot_be_read_is_remarked_on(tmp_path):
    path = write(tmp_path / "test" / "channel" / "a", FRAMES)
    (tmp_path / "test" / "metadata.csv").write_bytes(b"source,video_url\n\xff")
    with remarks.collected() as notes:
        assert "medium" not in FramePickles(path).stated
    assert "metadata.csv is not used" in notes[0]


def test_damaged_files_end_in_a_line(tmp_path):
    path = write(tmp_path, FRAMES)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for number in range(100):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 12):
            data[at] = rng.integers(256)
        path.write_bytes(data[: len(data) * number // 10] if number < 10 else data)
        with contextlib.suppress(UserError), remarks.collected():
            list(FramePickles(path).pictures(range(4)))
