"""Regions are painted in turns, which follow the order of the manner."""

import numpy as np
import pytest

from painting_jax import media
from painting_jax.data.painter.manner import ALLA_PRIMA, LAYERED, SECTIONAL
from painting_jax.data.painter.turns import masses, turns

LABELS = np.arange(1, 7, dtype=np.uint8).repeat(20)[None].repeat(30, 0)


@pytest.mark.parametrize("medium", media.MEDIA)
@pytest.mark.parametrize("order", [ALLA_PRIMA, LAYERED, SECTIONAL])
def test_every_region_goes_through_the_stages_in_their_order(medium, order):
    stages = media.MEDIA[medium].stages
    by_stage = turns(stages, order, LABELS)
    for label in range(1, 7):
        windows = [turn.window_G2[turn.group_K[label]] for turn in by_stage]
        times = np.concatenate(windows)
        assert (np.diff(times) > -1e-9).all()
        assert windows[-1][1] == 1


@pytest.mark.parametrize("medium", media.MEDIA)
def test_all_at_once_a_stage_is_one_turn(medium):
    stages = media.MEDIA[medium].stages
    for stage, turn in zip(stages, turns(stages, ALLA_PRIMA, LABELS), strict=True):
        assert turn.window_G2.shape == (1, 2)
        assert turn.window_G2[0, 1] == stage.until


@pytest.mark.parametrize(("order", "groups"), [(LAYERED, 3), (SECTIONAL, 6)])
@pytest.mark.parametrize("medium", ["acrylic", "oil", "watercolor", "digital"])
def test_a_group_passes_through_all_stages_but_the_last_before_the_next_begins(
    medium, order, groups
):
    stages = media.MEDIA[medium].stages
    begin = stages.index(masses(stages))
    parts = turns(stages, order, LABELS)[begin:-1]
    assert all(len(turn.window_G2) == groups for turn in parts)
    for group in range(groups - 1):
        done = max(turn.window_G2[group, 1] for turn in parts)
        assert done <= min(turn.window_G2[group + 1, 0] for turn in parts) + 1e-9
    assert (np.diff(parts[0].group_K[1:]) >= 0).all()


def test_one_region_needs_no_groups():
    stages = media.MEDIA["oil"].stages
    for stage, turn in zip(stages, turns(stages, LAYERED, np.ones((4, 4), np.uint8)), strict=True):
        assert turn.window_G2[turn.group_K[1], 1] == pytest.approx(stage.until)
