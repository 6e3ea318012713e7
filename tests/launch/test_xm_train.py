"""The launcher, from the command line and from another folder than the repository's."""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import time

import pytest
from absl import flags

from tests import tiny

_LAUNCHER = tiny.ROOT / "launch" / "xm_train.py"


@pytest.fixture(scope="module")
def split():
    """The launcher's function of that name."""
    yield runpy.run_path(str(_LAUNCHER))["_split"]
    delattr(flags.FLAGS, "xm_executor")


def _start(folder, *arguments: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, _LAUNCHER, *arguments],
        cwd=folder,
        # XManager keeps its list of experiments in the home folder.
        env=tiny.environment(HOME=str(folder), **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finished(program: subprocess.Popen) -> subprocess.CompletedProcess:
    out, err = program.communicate(timeout=300)
    return subprocess.CompletedProcess(program.args, program.returncode, out, err)


def _processes_of(workdir) -> list[str]:
    """Ids of the processes that have a folder on their command line."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline", "rb") as file:
            if os.fsencode(workdir) in file.read():
                found.append(entry)
    return found


def _stop_once(program: subprocess.Popen, condition) -> subprocess.CompletedProcess:
    """Presses Ctrl-C as soon as a condition holds."""
    until = time.monotonic() + 300
    while not condition() and program.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    return _finished(program)


@pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="needs a list of processes")
def test_training_is_stopped_by_ctrl_c_and_resumed(tmp_path):
    tiny.prepare(tmp_path / "data")
    workdir = tmp_path / "run"
    arguments = (
        f"--config={tiny.ROOT / 'configs' / 'demo.py'}",
        "--data_dir=data",
        "--workdir=run",
        *tiny.FLAGS,
        "--config.steps=1000000",
        "--config.checkpoint.every=1",
    )

    def start():
        cache = str(tmp_path / "compiled")
        return _start(tmp_path, *arguments, JAX_COMPILATION_CACHE_DIR=cache)

    def saved() -> set[int]:
        return {int(path.name) for path in workdir.glob("checkpoints/*") if path.name.isdecimal()}

    first = _stop_once(start(), saved)
    assert first.returncode == 130, first.stderr
    assert "started from random parameters" in first.stdout
    # A slow disk may make Orbax warn that checkpoints this frequent wait for each other.
    assert first.stderr.splitlines()[-1] == "interrupted"
    assert "Traceback" not in first.stderr
    assert not _processes_of(workdir)
    assert (tmp_path / ".xmanager").is_dir()

    before = max(saved())
    second = _stop_once(start(), lambda: max(saved()) > before)
    assert f"resumed after step {before};" in second.stdout
    assert second.returncode == 130


@pytest.mark.parametrize(
    ("flag", "said"),
    [("--config.steps=many", "config.steps"), ("--config.data.nothing=1", "no field 'nothing'")],
)
def test_mistakes_in_the_job_are_the_launchers(tmp_path, flag, said):
    done = _finished(_start(tmp_path, "--workdir=run", flag, "--data_dir=data"))
    tiny.assert_one_line(done, said)
    assert done.stdout == ""
    assert os.listdir(tmp_path) == [".xmanager"]


def test_a_flag_of_the_launchers_own_takes_its_value_after_a_space(tmp_path):
    refused = _finished(_start(tmp_path, "--xm_executor", "moon", "--workdir", "run"))
    tiny.assert_one_line(refused, "local")
    assert not os.listdir(tmp_path)
    done = _finished(
        _start(tmp_path, "--xm_executor", "local", "--workdir", "run", "--config.steps", "many")
    )
    tiny.assert_one_line(done, "config.steps")


@pytest.mark.parametrize(
    ("argv", "own"),
    [
        (["--xm_executor", "local", "--workdir", "r"], ["--xm_executor", "local"]),
        (["--workdir", "r", "--xm_executor=local"], ["--xm_executor=local"]),
        (["-xm_executor", "local", "--steps", "2"], ["-xm_executor", "local"]),
        # A switch has no value.
        (["--xm_upgrade_db", "--workdir=r"], ["--xm_upgrade_db"]),
        (["--noxm_upgrade_db", "--workdir=r"], ["--noxm_upgrade_db"]),
        (["--xm_executor"], ["--xm_executor"]),
        (["--config=a.py:xm_x", "--workdir=--xm_y"], []),
    ],
)
def test_the_command_line_is_split_between_launcher_and_training(split, argv, own):
    assert split(argv) == (own, [word for word in argv if word not in own])


def test_help_tells_of_both_sets_of_flags(tmp_path):
    done = _finished(_start(tmp_path, "--help"))
    assert done.returncode == 0
    for words in ("--xm_executor=local", "--workdir:", "--config.steps=2000"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("flag", "home", "said"),
    [
        ("--xm_executor=moon", None, "local"),
        ("--xm_executor=local", "/proc/nowhere", "--xm_db_yaml_config_path"),
    ],
)
def test_mistakes_of_the_launchers_own_are_one_line(tmp_path, flag, home, said):
    environment = {"HOME": home} if home else {}
    done = subprocess.run(
        [sys.executable, _LAUNCHER, flag, "--workdir=run"],
        cwd=tmp_path,
        env=tiny.environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    tiny.assert_one_line(done, said)
    assert not os.listdir(tmp_path)


def test_without_xmanager_the_extra_is_named(tmp_path):
    absent = tmp_path / "absent" / "xmanager"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError('no xmanager')")
    path = f"{absent.parent}{os.pathsep}{tiny.ROOT}"
    said = "pip install -c constraints.txt -e '.[launch]'"
    tiny.assert_one_line(_finished(_start(tmp_path, PYTHONPATH=path)), said)
