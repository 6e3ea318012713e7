"""A data set of latents in the making: what is refused, left behind and gone on with."""

import resource

import pytest

from painting_jax.data import unfinished_latents
from painting_jax.data.unfinished_latents import UnfinishedLatents
from painting_jax.errors import UserError

SHARDS = {"train": [2, 1], "validation": [1]}


def begun(path, *, overwrite: bool = False, **noted) -> UnfinishedLatents:
    return UnfinishedLatents(path / "1.0.0", noted, SHARDS, overwrite=overwrite)


def test_what_is_written_is_not_pending(tmp_path):
    pending = [("train", 0, range(2)), ("train", 1, range(2, 3)), ("validation", 0, range(1))]
    unfinished = begun(tmp_path)
    assert unfinished.pending() == pending
    unfinished.write("train", 1, [b"record"])
    assert begun(tmp_path).pending() == [pending[0], pending[2]]


def test_what_was_begun_for_other_records_is_refused_or_removed(tmp_path):
    begun(tmp_path, weights="some").write("train", 1, [b"record"])
    with pytest.raises(UserError, match="give another --name, or --overwrite"):
        begun(tmp_path, weights="others")
    assert len(begun(tmp_path, weights="some").pending()) == 2
    assert len(begun(tmp_path, weights="others", overwrite=True).pending()) == 3


def test_what_a_killed_program_left_is_cleared_away(tmp_path):
    folder = begun(tmp_path).folder
    left = folder / ".unfinished_abcdefgh"
    left.write_bytes(b"half a shard")
    assert len(begun(tmp_path).pending()) == 3
    assert not left.exists()
    begun(tmp_path).write("train", 0, [b"record"] * 2)
    (folder / "plan.json").write_text("{")
    with pytest.raises(UserError, match="was begun with other arguments"):
        begun(tmp_path)


def test_where_no_record_is_written_nothing_is_in_the_way(tmp_path):
    """As after a refusal for lack of disk space, which advises other arguments."""
    begun(tmp_path, dtype="float32")
    assert len(begun(tmp_path, dtype="bfloat16").pending()) == 3


def test_a_full_disk_costs_one_line_and_leaves_no_half_shard(tmp_path):
    unfinished = begun(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UserError, match=r"1.0.0 cannot be written: File too large"):
            unfinished.write("train", 0, [bytes(200_000)] * 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in unfinished.folder.iterdir()] == ["plan.json"]


@pytest.mark.parametrize("count", [1, 5, 100])
@pytest.mark.parametrize("size", [1, 60 << 20, 1 << 40])
def test_shards_hold_every_record_in_files_of_a_quarter_gigabyte(count, size):
    lengths = unfinished_latents.shard_lengths(count, size)
    assert sum(lengths) == count
    assert all(length == 1 or length * size <= 256 << 20 for length in lengths)
    assert len({*lengths[:-1]}) <= 1
