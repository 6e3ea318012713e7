"""The grid of a process's frames."""

import numpy as np

from painting_jax.data.contact_sheet import contact_sheet

FRAMES = np.random.default_rng(0).integers(0, 256, (9, 24, 32, 3), np.uint8)


def _count_blocks(sheet, colour):
    return int((np.abs(sheet.astype(int) - colour).sum(-1) == 0).sum())


def test_small_frames_are_enlarged_to_be_seen():
    frames = np.zeros((1, 24, 32, 3), np.uint8) + np.array([200, 10, 10], np.uint8)
    sheet = contact_sheet(frames)
    assert _count_blocks(sheet, [200, 10, 10]) == 96 * 128


def test_large_frames_are_made_smaller():
    frames = np.zeros((1, 600, 1200, 3), np.uint8) + np.array([200, 10, 10], np.uint8)
    assert _count_blocks(contact_sheet(frames), [200, 10, 10]) == 256 * 512


def test_every_frame_is_there_once_in_its_place():
    colours = np.arange(7) * 30 + 20
    frames = np.broadcast_to(colours[:, None, None, None], (7, 128, 128, 3)).astype(np.uint8)
    sheet = contact_sheet(frames, columns=3, title="A title")
    rows = [np.argwhere((sheet == c).all(-1)) for c in colours]
    assert all(len(found) >= 128 * 128 for found in rows)
    tops, lefts = [found.min(0)[0] for found in rows], [found.min(0)[1] for found in rows]
    assert tops[0] == tops[2] < tops[3] == tops[5] < tops[6]
    assert lefts[0] == lefts[3] == lefts[6] < lefts[1] < lefts[2]


def test_titles_of_rows_stand_above_them_and_move_nothing_else():
    colours = np.arange(6) * 30 + 20
    frames = np.broadcast_to(colours[:, None, None, None], (6, 128, 128, 3)).astype(np.uint8)
    plain = contact_sheet(frames, columns=3)
    titled = contact_sheet(frames, columns=3, row_titles=["oil: a cat " * 20, "painted"])
    assert titled.shape[1:] == plain.shape[1:]
    over = (titled.shape[0] - plain.shape[0]) // 2
    assert over > 12
    tops = [np.argwhere((titled == colour).all(-1)).min(0)[0] for colour in colours]
    before = [np.argwhere((plain == colour).all(-1)).min(0)[0] for colour in colours]
    assert [now - then for now, then in zip(tops, before, strict=True)] == [over] * 3 + [
        2 * over
    ] * 3
    for top in (tops[0], tops[3]):
        assert titled[top - over : top - 2].min() < 100, "ink above the row"
    assert (titled[:, -3:] == titled[0, 0]).all()


def test_long_titles_and_labels_stay_on_the_sheet():
    sheet = contact_sheet(FRAMES, title="a very long title " * 20, labels=["x"] * 9)
    assert sheet.dtype == np.uint8
    assert (sheet[:, -3:] == sheet[0, 0]).all()


def test_progress_is_written_below():
    even = contact_sheet(FRAMES)
    given = contact_sheet(FRAMES, progress=np.linspace(0, 1, 9))
    skewed = contact_sheet(FRAMES, progress=np.linspace(0, 1, 9) ** 2)
    np.testing.assert_array_equal(even, given)
    assert (even != skewed).any()
