"""The launcher, from the command line and from another folder than the repository's."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from launch import xm_train
from tests import tiny
from tests.programs import Programs

_LAUNCHER = tiny.ROOT / "launch" / "xm_train.py"


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory):
    """Runs the launcher without any credentials, and asserts that it leaves nothing behind."""
    folder = tmp_path_factory.mktemp("launch")
    environment = {
        "HOME": str(folder),
        "KUBECONFIG": str(folder / "kube"),
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "none.json"),
    }
    programs = Programs(folder, environment)

    def run(*arguments: str) -> tuple[int, str]:
        done = programs(str(_LAUNCHER), *arguments)
        assert not os.listdir(folder)
        return done

    return run


@pytest.fixture
def refused(launch):
    """Asserts that the launcher refuses in one line."""

    def check(*arguments: str, said: str) -> None:
        _assert_one_line(launch(*arguments), said)

    return check


def _assert_one_line(done: tuple[int, str], said: str) -> None:
    status, output = done
    assert status == 2, output
    assert output.startswith("error: ")
    assert output.count("\n") == 1, output
    assert said in output


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


def _processes_in(folder) -> list[str]:
    """Ids of the processes whose working folder it is."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{entry}/cwd") == str(folder):
                found.append(entry)
    return found


def _stop_once(program: subprocess.Popen, condition) -> subprocess.CompletedProcess:
    """Presses Ctrl-C as soon as a condition holds."""
    until = time.monotonic() + 300
    while not condition() and program.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    program.send_signal(signal.SIGINT)
    return _finished(program)


@pytest.mark.skipif(not os.path.exists("/proc/self/cwd"), reason="needs a list of processes")
def test_the_runs_of_a_sweep_are_trained_in_turn_stopped_by_ctrl_c_and_resumed(tmp_path):
    tiny.prepare(tmp_path / "data")
    config = f"--config={tiny.ROOT / 'configs' / 'demo.py'}"
    arguments = (config, "--data_dir=data", "--workdir=lr", *tiny.LEAST, "--sweep.seed=1,2")
    # The first one has two steps. It is stopped in one of them, which it ends and saves.
    log = tmp_path / "lr" / "seed=1" / "examples.jsonl"
    first = _stop_once(_start(tmp_path, *arguments), lambda: log.exists() and log.read_text())
    assert first.returncode == 130, first.stderr
    assert "started from random parameters" in first.stdout
    # A slow disk may make Orbax warn that checkpoints this frequent wait for each other.
    assert first.stderr.splitlines()[-1] == "interrupted"
    assert "Traceback" not in first.stderr
    assert not _processes_in(tmp_path)
    assert (tmp_path / ".xmanager").is_dir()
    assert os.listdir(tmp_path / "lr") == ["seed=1"], "the next one is not begun"

    second = _finished(_start(tmp_path, *arguments))
    assert second.returncode == 0, second.stderr
    assert "resumed after step 1;" in second.stdout
    assert sorted(os.listdir(tmp_path / "lr")) == ["seed=1", "seed=2"]
    assert [line for line in second.stdout.splitlines() if line.startswith("trained")] == [
        "trained 2 steps: lr/seed=1",
        "trained 2 steps: lr/seed=2",
    ]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--config.steps=many", "config.steps"),
        ("--config.data.nothing=1", "no field 'nothing'"),
        ("--sweep.data.nothing=1,2", "no field 'nothing'"),
    ],
)
def test_mistakes_in_the_job_are_the_launchers(refused, flag, said):
    refused("--workdir=run", flag, "--data_dir=data", said=said)


def test_a_flag_of_the_launchers_own_takes_its_value_after_a_space(refused):
    refused("--xm_executor", "moon", "--workdir", "run", said="local")
    refused("--target", "local", "--workdir", "run", "--config.steps", "many", said="config.steps")


@pytest.mark.parametrize(
    ("argv", "own", "swept"),
    [
        (["--target", "local", "--workdir", "r"], ["--target", "local"], []),
        (["--workdir", "r", "--xm_executor=local"], ["--xm_executor=local"], []),
        # A switch has no value.
        (["--dry_run", "--workdir=r", "--nodry_run"], ["--dry_run", "--nodry_run"], []),
        (["--noxm_upgrade_db", "--workdir=r"], ["--noxm_upgrade_db"], []),
        (["--sweep.steps", "1,2", "--zone=z"], ["--zone=z"], ["--sweep.steps", "1,2"]),
        (["--config=a.py:xm_x", "--workdir=--xm_y"], [], []),
    ],
)
def test_the_command_line_is_split_between_launcher_sweep_and_training(argv, own, swept):
    assert xm_train.split(argv) == (own, swept, [w for w in argv if w not in [*own, *swept]])


def test_help_tells_of_both_sets_of_flags(launch):
    status, output = launch("--help")
    assert status == 0
    for words in ("--target=local", "--accelerator:", "--workdir:", "--config.steps=2000"):
        assert words in output


@pytest.mark.parametrize(
    ("flag", "home", "said"),
    [
        ("--xm_executor=moon", None, "local"),
        ("--xm_executor=local", "/proc/nowhere", "--xm_db_yaml_config_path"),
    ],
)
def test_mistakes_of_the_launchers_own_are_one_line(tmp_path, flag, home, said):
    programs = Programs(tmp_path, {"HOME": home} if home else {})
    _assert_one_line(programs(str(_LAUNCHER), flag, "--workdir=run"), said)
    assert not os.listdir(tmp_path)


def test_without_xmanager_the_extra_is_named(tmp_path):
    absent = tmp_path / "absent" / "xmanager"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError('no xmanager')")
    path = f"{absent.parent}{os.pathsep}{tiny.ROOT}"
    said = "pip install -c constraints.txt -e '.[launch]'"
    tiny.assert_one_line(_finished(_start(tmp_path, PYTHONPATH=path)), said)


def test_a_dry_run_starts_nothing(launch):
    status, output = launch("--dry_run", "--workdir=lr", "--sweep.seed=1,2", "--config.steps=3")
    assert status == 0
    commands = [shlex.split(line) for line in output.splitlines()]
    for seed, command in zip((1, 2), commands, strict=True):
        changed = [f"--workdir=lr/seed={seed}", "--config.steps=3", f"--config.seed={seed}"]
        assert command[1:] == ["-m", "painting_jax.train", *changed]


_TO_GKE = ("--target=gke", "--accelerator=h100:8", "--image=registry.example/p/i:1")
_IN_BUCKETS = ("--workdir=gs://b/run", "--data_dir=gs://b/data", "--config.data.batch_size=8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*_TO_GKE, *_IN_BUCKETS), "gcloud container clusters get-credentials"),
        (("--target=vertex", *_TO_GKE[1:], *_IN_BUCKETS), "application-default login"),
        (("--target=slurm", "--accelerator=gpu:8", "--workdir=r"), "batch_size"),
        ((*_TO_GKE[:2], *_IN_BUCKETS), "--image is missing with --target=gke"),
        (("--target=gke", *_IN_BUCKETS), "--accelerator is missing with --target=gke"),
        (("--target=tpu_vm", "--accelerator=v5e:2x2"), "--tpu_name is missing"),
        ((*_TO_GKE, "--zone=z"), "--zone does nothing with --target=gke"),
        (("--image=registry.example/p/i:1",), "--image does nothing with --target=local"),
        ((*_TO_GKE, "--accelerator=v6e:3x3"), "topologies of v6e are 1x1, 2x2"),
        ((*_TO_GKE, *_IN_BUCKETS, "--config.mesh.data=4"), "on h100:8 (8 devices): mesh"),
        ((*_TO_GKE, *_IN_BUCKETS, "--workdir=run"), "--workdir=run: with --target=gke it must be"),
        ((*_TO_GKE, *_IN_BUCKETS, "--sweep.nothing=1"), "no field 'nothing'"),
        (("--target=gke", "--accelerator="), "--accelerator= is empty"),
    ],
)
def test_what_cannot_be_submitted_is_one_line_and_leaves_nothing(refused, arguments, said):
    refused(*arguments, said=said)
