"""The commands of docs/launch.md, run as they are printed."""

import re
import shlex

import pytest
import yaml

from launch import slices
from tests import tiny
from tests.programs import Programs

_PAGE = (tiny.ROOT / "docs" / "launch.md").read_text("utf-8")
_BLOCKS = "".join(re.findall(r"^```bash\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL))
_COMMANDS = [
    " ".join(line.split())
    for line in _BLOCKS.replace("\\\n", "").splitlines()
    if line.startswith("python ")
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """Runs a program in a folder with the repository's launcher and configs."""
    root = tmp_path_factory.mktemp("launch")
    for name in ("launch", "configs"):
        (root / name).symlink_to(tiny.ROOT / name)
    return Programs(root)


def test_the_page_has_a_command_for_each_target():
    targets = re.findall(r"--target=(\w+)", " ".join(_COMMANDS))
    assert {"gke", "vertex", "slurm", "tpu_vm"} <= set(targets)
    assert any("--target" not in command for command in _COMMANDS)
    assert all(command.endswith("--dry_run") for command in _COMMANDS)


@pytest.mark.parametrize("command", _COMMANDS)
def test_commands_run_as_printed(run, command):
    _, script, *arguments = shlex.split(command)
    status, output = run(script, *arguments)
    assert status == 0, output
    if "--target=gke" in command:
        [manifest] = yaml.safe_load_all(output)
        assert manifest["kind"] == "JobSet"
    elif "--sweep" in command:
        assert output.count("painting_jax.train") == 4
    else:
        assert "painting_jax.train" in output or "workerPoolSpecs" in output


def test_the_page_names_every_kind_of_tpu():
    assert all(f"`{kind}`" in _PAGE for kind in slices.TPUS)
