"""Every command of the README, run as it is printed, in a folder where the names it uses exist.

Options that shrink the work are appended. The commands run in the README's order, since later ones
use what earlier ones leave.
"""

import importlib
import pathlib
import re
import shlex
import subprocess
import tomllib

import numpy as np
import pytest
from ml_collections import ConfigDict
from safetensors.numpy import save_file

from configs import wan21_i2v_14b
from painting_jax import media
from painting_jax.checkpoints import random_folder
from painting_jax.data import pictures
from painting_jax.tasks.task import make_model
from painting_jax.text.tokenizer import Tokenizer
from tests import tiny, tiny_run
from tests.evaluation.recordings import write_movie
from tests.programs import Programs
from tests.synthetic import build_painted, recording, scene, write_photos

_README = (tiny.ROOT / "README.md").read_text("utf-8")

_PRETRAINED = "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers"
_WAN = (
    "--config.steps=1",
    "--config.optimizer.warmup_steps=0",
    "--config.data.batch_size=1",
    "--config.data.frames=5",
    "--config.data.height=32",
    "--config.data.width=32",
    "--config.sampling.steps=1",
    "--config.model.layers=1",
    "--config.model.remat=none",
)

# Sizes of the random model that stands for the published one.
_PUBLISHED = (
    *(flag for flag in _WAN if not flag.startswith("--config.model.")),
    "--config.model.dim=48",
    "--config.model.layers=2",
    "--config.model.heads=2",
    "--config.model.ffn_dim=96",
    "--config.model.text_dim=32",
    "--config.model.image_dim=32",
    "--config.model.remat=none",
)

# Words of a command, and the options that shrink its work; the first that fits counts.
_CHEAP = (
    ("--builder=painted_images", ("--size=32", "--frames=4", "--variants=1", "--media=oil")),
    ("--builder=recorded_processes", ("--size=64", "--item_timeout=0")),
    (":lora,tiny", _WAN),
    ("--config=configs/wan21_i2v_14b.py:lora ", _PUBLISHED),
    ("--config=configs/small.py", tiny.FLAGS),  # of the model of `runs/demo`
    ("painting_jax.train", tiny.LEAST),
    ("--workdir=runs/tiny", ("--frames=5",)),
    ("--pretrained=Wan-AI", ("--max_area=1024", "--frames=5", "--steps=1")),
    ("evaluate --workdir", ("--examples=1",)),
    ("evaluate --generated", ("--frames=4",)),
)

# Puts the environment's python first, in a shell.
_ACTIVATION = ". .venv/bin/activate"

# What `make demo` and `make test` do themselves.
_SETUP = ("git clone ", "cd ", "python3 -m venv ", "pip install ", _ACTIVATION)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _README, re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    lines = "".join(_blocks("bash")).replace("\\\n", "").splitlines()
    return [" ".join(line.partition(" #")[0].split()) for line in lines if line]


_PROGRAMS = [command for command in _commands() if command.startswith("python -m painting_jax.")]
# Programs that run until they are interrupted; `tests/studio/test_access.py` starts one.
_SERVING = [command for command in _PROGRAMS if "painting_jax.studio" in command]
_PYTHON = [command for command in _PROGRAMS if command not in _SERVING]
_OTHERS = [command for command in _commands() if command not in _PROGRAMS]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """Runs a program in a folder as the README's reader has it after `make demo`."""
    root = tmp_path_factory.mktemp("readme")
    (root / "configs").symlink_to(tiny.ROOT / "configs")
    write_photos(root / "photos", 3)
    picture_HWC, canvas_HWC = scene(0), scene(0)
    canvas_HWC[: len(canvas_HWC) // 3] = 240
    for name, shown_HWC in (("cat", picture_HWC), ("my_canvas", canvas_HWC)):
        (root / f"{name}.jpg").write_bytes(pictures.encode(shown_HWC, "jpeg"))
    for folder, seed in (("recordings", 0), ("videos", 1), ("others", 2)):
        write_movie(root / folder / "cat.mp4", recording(seed, count=4, height=32, width=32))
    build_painted(root / "runs" / "data", root / "photos", media=("oil",), frames=4)
    demo = (root / "runs" / "demo", root / "runs" / "data")
    tiny_run.write(*demo, captions=["a cat"], config=_of_make_demo())
    _write_pretrained(root)
    return Programs(root)


def _of_make_demo() -> ConfigDict:
    """The experiment that `make demo` trains: commands that start from its run need its model."""
    makefile = (tiny.ROOT / "Makefile").read_text()
    [(name, arguments)] = re.findall(
        r"--config=configs/(\w+)\.py:(\S+) --data_dir=\$\(DATA\)", makefile
    )
    return importlib.import_module(f"configs.{name}").get_config(arguments)


def _write_pretrained(root: pathlib.Path) -> None:
    """A random model in the place of a published one, and a LoRA for it."""
    config = wan21_i2v_14b.get_config("tiny")
    (root / _PRETRAINED).parent.mkdir()
    prompts = [medium.prompt for medium in media.MEDIA.values()]
    tokenizer = Tokenizer.train(prompts)
    random_folder.write(
        root / _PRETRAINED,
        config.model.family,
        make_model(config).config,
        tokenizer=tokenizer,
        seed=0,
    )
    dim = config.model.dim
    key = "transformer.blocks.0.attn1.to_q"
    factors = {"lora_A": np.ones((2, dim), np.float32), "lora_B": np.ones((dim, 2), np.float32)}
    tensors = {f"{key}.{name}.weight": factor for name, factor in factors.items()}
    save_file(tensors, root / "style.safetensors")


@pytest.mark.parametrize("command", _PYTHON)
def test_commands_run_as_printed(run, command):
    _, *arguments = shlex.split(command)
    arguments += next((flags for words, flags in _CHEAP if words in command), ())
    status, output = run(*arguments)
    assert status == 0, output


@pytest.mark.parametrize("command", _SERVING)
def test_programs_that_serve_exist(run, command):
    _, *arguments = shlex.split(command)
    status, output = run(*arguments, "--help")
    assert status == 0, output


def test_python_runs_as_printed(run, tmp_path):
    [code] = _blocks("python")
    (tmp_path / "snippet.py").write_text(code)
    status, output = run(str(tmp_path / "snippet.py"))
    assert status == 0, output


@pytest.mark.parametrize("command", _OTHERS)
def test_other_commands_exist(command):
    program, _, target = command.partition(" ")
    if program == "make":
        subprocess.run(["make", "--dry-run", target], cwd=tiny.ROOT, check=True)
    else:
        assert command.startswith(_SETUP)


def test_the_environment_is_activated_before_the_first_command_after_make_demo():
    commands = _commands()
    first = commands.index(_PYTHON[0])
    assert commands.index("make demo") < first
    assert commands[first - 1] == _ACTIVATION
    makefile = (tiny.ROOT / "Makefile").read_text()
    [venv] = re.findall(r"^VENV := (.+)", makefile, re.MULTILINE)
    assert f". {venv}/bin/activate" == _ACTIVATION


def test_every_extra_that_is_named_exists_and_is_constrained():
    """With a version for each of its packages, pip need not search."""
    project = tomllib.loads((tiny.ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (tiny.ROOT / "constraints.txt").read_text().split()
    }
    named = {
        extra
        for command in _commands()
        if command.startswith("pip install ")
        for extra in re.findall(r"\[(\w+)\]", command)
    }
    assert named == {"launch", "studio", "tensorboard"}
    for command in _commands():
        assert not command.startswith("pip install ") or "-c constraints.txt" in command
    for extra in named:
        assert {name.lower() for name in project["optional-dependencies"][extra]} <= pinned
