"""`prepare --clean` makes processes of the canvas alone from films of a desk."""

import numpy as np

from painting_jax.data import pictures, processes, remarks, timelapse, video
from painting_jax.data.curation.options import Cleaning
from tests.data.curation.films import film


def test_a_recording_is_cleaned_and_then_judged(tmp_path):
    shown = film("watercolor")
    video.write_mp4(tmp_path / "film.mp4", shown.frames_THWC, fps=12)
    [file], _ = processes.find([tmp_path / "film.mp4"], medium="watercolor")
    with remarks.collected() as notes:
        record = processes.to_record(
            file, max_frames=9, max_side=1280, edits=timelapse.CUT, cleaning=Cleaning()
        )
    assert any("hands, tools and logos hid" in note for note in notes)
    assert len(record.frames) == 9
    assert record.progress[-1] == 1
    last = pictures.resize(pictures.decode(record.frames[-1]), 128, 128).astype(float)
    last *= np.median((shown.clean_THWC[-1] + 8) / (last + 8), (0, 1))
    assert np.abs(last - shown.clean_THWC[-1]).mean() < 8
    # The desk is gone: the recording itself is nowhere near.
    plain = pictures.resize(shown.frames_THWC[-1], 128, 128).astype(int)
    assert np.abs(plain - shown.clean_THWC[-1]).mean() > 30


def test_a_recording_that_runs_backwards_is_turned_after_it_was_cleaned(tmp_path):
    shown = film("watercolor")
    video.write_mp4(tmp_path / "film.mp4", shown.frames_THWC[::-1], fps=12)
    [file], _ = processes.find([tmp_path / "film.mp4"], medium="watercolor")
    with remarks.collected() as notes:
        record = processes.to_record(
            file, max_frames=5, max_side=1280, edits=timelapse.TURN, cleaning=Cleaning()
        )
    assert any("turned round" in note for note in notes)
    # Frames in which nothing changes are left out: what is left is not quite even.
    np.testing.assert_allclose(record.progress, np.linspace(0, 1, 5), atol=0.05)
    first, last = (pictures.decode(record.frames[at]).astype(int) for at in (0, -1))
    assert first.std() < 0.6 * last.std()
