"""Grids of steps are cut into processes, in snake order."""

import json

import numpy as np
import pytest
from PIL import Image

from painting_jax.data import processes
from painting_jax.data.artwork.step_grid import StepGrid
from painting_jax.errors import UserError

SNAKE = {"2x2": [[0, 1], [3, 2]], "3x3": [[0, 1, 2], [5, 4, 3], [6, 7, 8]]}


def write(path, grid: str, side: int = 60) -> None:
    """A grid whose k-th step has the level 20 + 25 k."""
    steps = np.array(SNAKE[grid])
    levels = (20 + 25 * steps).astype(np.uint8).repeat(side, 0).repeat(side, 1)
    Image.fromarray(np.stack([levels] * 3, -1)).save(path)


@pytest.mark.parametrize("grid", SNAKE)
def test_steps_are_in_snake_order(tmp_path, grid):
    write(tmp_path / "a.png", grid)
    states = StepGrid(tmp_path / "a.png", grid)
    means = [picture_HWC.mean() for picture_HWC in states.pictures(range(len(states)))]
    np.testing.assert_array_equal(means, 20 + 25 * np.arange(len(states)))


def test_neighbours_do_not_bleed_over_the_border(tmp_path):
    side = 352
    write(tmp_path / "a.png", "3x3", side)
    [middle] = StepGrid(tmp_path / "a.png", "3x3").pictures([4])
    assert middle.shape == (348, 348, 3)


def test_the_order_of_steps_is_believed(tmp_path):
    """A grid that goes from much detail to none, as no painting does."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3)).astype(np.uint8)
    faint, grey, light = noise // 3, np.full_like(noise, 120), np.full_like(noise, 200)
    grid = np.concatenate([np.concatenate([noise, faint], 1), np.concatenate([light, grey], 1)])
    Image.fromarray(grid).save(tmp_path / "a.png")
    [file], _ = processes.find([tmp_path], grid="2x2")
    loaded = processes.load(file, max_frames=4, max_side=64, edits="cut")
    assert len(loaded.frames_THWC) == 4
    np.testing.assert_array_equal(loaded.frames_THWC[2:].mean((1, 2, 3)), [120, 200])
    assert not loaded.looks_reversed


def test_each_picture_of_a_folder_is_a_process(tmp_path):
    for name in ("1.png", "2.png", "cat.png"):
        write(tmp_path / name, "3x3")
    found, skipped = processes.find([tmp_path], medium="oil", grid="3x3")
    assert not skipped
    assert [file.name for file in found] == ["1.png", "2.png", "cat.png"]
    loaded = processes.load(found[2], max_frames=5, max_side=64)
    np.testing.assert_array_equal(
        loaded.frames_THWC.mean((1, 2, 3)).round(), [20, 70, 120, 170, 220]
    )
    np.testing.assert_allclose(loaded.progress_T, [0, 0.25, 0.5, 0.75, 1])


def test_a_manifest_names_grids(tmp_path):
    write(tmp_path / "a.png", "2x2")
    row = {"path": "a.png", "medium": "oil", "grid": "2x2", "split": "test"}
    (tmp_path / "list.jsonl").write_text(json.dumps(row))
    [file], _ = processes.find([tmp_path / "list.jsonl"])
    assert (file.grid, file.split) == ("2x2", "test")
    assert len(processes.load(file, max_frames=9, max_side=64).frames_THWC) == 4
    (tmp_path / "list.jsonl").write_text(json.dumps(row | {"grid": "4x4"}))
    with pytest.raises(UserError, match="grid must be one of 2x2, 3x3, not '4x4'"):
        processes.find([tmp_path / "list.jsonl"])


def test_a_picture_that_is_too_small_says_so(tmp_path):
    write(tmp_path / "a.png", "3x3", side=6)
    with pytest.raises(UserError, match="6x6 pixels a step"):
        list(StepGrid(tmp_path / "a.png", "3x3").pictures([0]))
