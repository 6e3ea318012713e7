"""One process at a time."""

import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from painting_jax import locking
from painting_jax.errors import UserError
from painting_jax.locking import Busy, alone, alone_beside, held
from tests import tiny

_HOLD = """
    import sys, time
    from painting_jax.locking import alone

    with alone(sys.argv[1], "busy"):
        print("held", flush=True)
        time.sleep(600)
"""


def _refused(folder) -> bool:
    try:
        with alone(folder, "busy"):
            return False
    except UserError as error:
        if str(error) != "busy":
            raise
        return True


def test_another_process_is_kept_out_until_the_first_is_dead(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(_HOLD), str(tmp_path / "run")]
    # The folder for temporary files differs between the two, as between users, jobs and machines.
    (tmp_path / "tmp").mkdir()
    environment = tiny.environment(TMPDIR=str(tmp_path / "tmp"))
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert _refused(tmp_path / "run")
        holder.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path / "run") == [".lock"]
    assert not _refused(tmp_path / "run")
    assert os.listdir(tmp_path / "run") == []


def test_what_is_written_beside_its_place_has_its_lock_there(tmp_path):
    longest = "n" * 255
    for path in (tmp_path / "new" / "out", tmp_path / "out.safetensors", tmp_path / longest):
        for again in (path, f"{path.parent}/x/../{path.name}"):
            with alone_beside(path, "busy"):
                assert not path.exists()
                with pytest.raises(UserError, match=r"^busy$"), alone_beside(again, "busy"):
                    pass
                # Another one beside it is nobody's business.
                with alone_beside(path.parent / "other", "busy"):
                    pass
    assert os.listdir(tmp_path) == []


def test_a_folder_that_its_creator_removes_is_created_again(tmp_path, monkeypatch):
    def open_late(path):
        if not opened:
            path.parent.rmdir()  # as another process does that leaves it empty
        opened.append(path)
        return _open(path)

    opened, _open = [], locking._open
    monkeypatch.setattr(locking, "_open", open_late)
    with alone(tmp_path / "run", "busy"):
        assert os.listdir(tmp_path / "run") == [".lock"]
    assert os.listdir(tmp_path) == []


def test_a_folder_that_was_not_there_is_gone_again_unless_it_is_used(tmp_path):
    with alone(tmp_path / "a" / "b", "busy"):
        pass
    assert os.listdir(tmp_path) == []
    with alone(tmp_path / "a" / "b", "busy"):
        (tmp_path / "a" / "result").touch()
    assert os.listdir(tmp_path / "a") == ["result"]
    with pytest.raises(KeyError), alone(tmp_path / "c", "busy"):
        raise KeyError
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_is_the_same_by_any_of_its_names(tmp_path):
    (tmp_path / "link").symlink_to("run")
    (tmp_path / "run").mkdir()
    with alone(tmp_path / "run", "busy"):
        assert _refused(tmp_path / "link")
        assert _refused(tmp_path / "run" / ".." / "run")
        assert not _refused(tmp_path / "another")


@pytest.mark.parametrize("planted", ["symlink_to", "hardlink_to"])
def test_a_planted_link_costs_its_target_nothing(tmp_path, planted):
    (tmp_path / "run").mkdir()
    (tmp_path / "thesis.txt").write_text("precious")
    (tmp_path / "thesis.txt").chmod(0o600)
    getattr(tmp_path / "run" / ".lock", planted)(tmp_path / "thesis.txt")
    if planted == "symlink_to":
        with pytest.raises(UserError, match=r"run/.lock is a link.*remove it"):
            _refused(tmp_path / "run")
    else:
        assert not _refused(tmp_path / "run")
    assert (tmp_path / "thesis.txt").read_text() == "precious"
    assert stat.S_IMODE((tmp_path / "thesis.txt").stat().st_mode) == 0o600


def test_a_link_to_nothing_creates_nothing(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(UserError, match="is a link"):
        _refused(tmp_path / "run")
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, make):
    make(tmp_path / ".lock")
    with pytest.raises(UserError, match="is no file"):
        _refused(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match="file is no folder"):
            _refused(path)


@pytest.mark.parametrize(("folder", "lock"), [(0o775, 0o664), (0o700, 0o600), (0o770, 0o660)])
def test_whoever_may_write_to_the_folder_may_lock_it(tmp_path, folder, lock):
    tmp_path.chmod(folder)
    with alone(tmp_path, "busy"):
        assert stat.S_IMODE((tmp_path / ".lock").stat().st_mode) == lock


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
@pytest.mark.parametrize("mode", [0o644, 0o664])
def test_a_lock_that_another_user_left_keeps_nobody_out(tmp_path, mode):
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o777)
    (tmp_path / ".lock").touch()
    (tmp_path / ".lock").chmod(mode)
    child = os.fork()
    if child == 0:
        os.setgid(1)
        os.setuid(1)
        os._exit(_refused(tmp_path))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_folder_that_nothing_may_be_written_to_is_named(tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    child = os.fork()
    if child == 0:
        os.setuid(1)
        try:
            os._exit(_refused(tmp_path))
        except UserError as error:
            os._exit(9 if str(error).startswith(f"{tmp_path} is write-protected") else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_lock_that_its_holder_removes_is_no_lock(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    opened = []

    def open_late(path):
        descriptor = _open(path)
        if not opened:
            path.unlink()  # as its holder does when it ends
        opened.append(descriptor)
        return descriptor

    _open = locking._open
    monkeypatch.setattr(locking, "_open", open_late)
    with held(path):
        assert len(opened) == 2
        assert path.exists()
        with pytest.raises(Busy), held(path):
            pass


def test_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch, capsys):
    def flock(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locking.fcntl, "flock", flock)
    with alone(tmp_path, "busy"):
        pass
    assert "has no locks" in capsys.readouterr().err
