import os
import pathlib
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from painting_jax import files, locking
from tests import tiny


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


def test_a_folder_replaces_another_as_a_whole(tmp_path):
    for content in ("old", "new"):
        with files.folder_written_beside(tmp_path / "a") as unfinished:
            (unfinished / content).write_text(content)
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["new"]


def test_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()

    def fail():
        with files.folder_written_beside(tmp_path / "a") as unfinished:
            (unfinished / "half").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["old"]


def test_what_gets_a_final_name_is_on_the_disk_before(tmp_path, monkeypatch):
    done = []

    def sync(descriptor):
        done.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))

    def rename(source, target):
        done.append("renamed")
        real_rename(source, target)

    real_rename = os.rename
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    monkeypatch.setattr(os, "rename", rename)
    with files.written_beside(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert done == [temporary.name, "renamed", tmp_path.name]
    done.clear()
    with files.folder_written_beside(tmp_path / "b") as unfinished:
        (unfinished / "sub").mkdir()
        (unfinished / "sub" / "file").touch()
    assert done[-2:] == ["renamed", tmp_path.name]
    assert set(done[:-2]) == {"b", "sub", "file"}


_WRITE = """
    import sys, time
    from painting_jax import files

    with getattr(files, sys.argv[1])(sys.argv[2]) as unfinished:
        if unfinished.is_dir():
            (unfinished / "half").write_text("x")
        print(flush=True)
        time.sleep(600)
"""


@pytest.mark.parametrize("writer", ["written_beside", "folder_written_beside"])
def test_what_a_killed_program_left_is_removed_and_what_is_being_written_stays(tmp_path, writer):
    command = [sys.executable, "-c", textwrap.dedent(_WRITE), writer, str(tmp_path / "a.txt")]
    with subprocess.Popen(command, env=tiny.environment(), stdout=subprocess.PIPE) as program:
        program.stdout.readline()
        [before] = os.listdir(tmp_path)
        files.remove_unfinished(tmp_path)
        assert os.listdir(tmp_path) == [before]
        program.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == [before]
    with files.folder_written_beside(tmp_path / "b") as unfinished:
        (unfinished / "new").touch()
    assert os.listdir(tmp_path) == ["b"]


def test_a_folder_that_was_being_replaced_is_put_back(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    rename = pathlib.Path.rename

    def rename_or_die(source, target):
        if source.parent.name == "new":
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(source, target)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(pathlib.Path, "rename", rename_or_die)
        with files.folder_written_beside(tmp_path / "a") as unfinished:
            (unfinished / "new").touch()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "a").exists()
    files.remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["old"]


def test_nothing_of_somebody_else_is_removed(tmp_path):
    (tmp_path / ".unfinished_novel.txt").touch()  # five letters
    (tmp_path / ".unfinished_12345678").mkdir()
    (tmp_path / ".unfinished_12345678" / "chapter").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (tmp_path / ".unfinished_abcdefgh").symlink_to("elsewhere")
    before = sorted(tmp_path.rglob("*"))
    files.remove_unfinished(tmp_path)
    files.remove_unfinished(tmp_path / "missing")
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_removed_where_no_lock_shows_whether_it_is_being_written(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locking.fcntl, "flock", flock)
    with files.written_beside(tmp_path / "a"), files.folder_written_beside(tmp_path / "b"):
        before = sorted(os.listdir(tmp_path))
        files.remove_unfinished(tmp_path)
        assert sorted(os.listdir(tmp_path)) == before
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
