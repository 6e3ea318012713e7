import os
import stat

import pytest

from painting_jax import files


def test_file_appears_when_the_block_succeeds(tmp_path):
    with files.written_beside(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("x")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert os.listdir(tmp_path / "new") == ["a.txt"]
    assert stat.S_IMODE((tmp_path / "new" / "a.txt").stat().st_mode) & stat.S_IRUSR


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    def fail():
        with files.written_beside(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        fail()
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"
