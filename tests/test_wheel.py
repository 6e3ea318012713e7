"""The wheel, installed and run from a folder that has packages of the repository's names."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from painting_jax.config import base
from tests import tiny
from tests.synthetic import write_photos

_SOURCES = ("LICENSE", "README.md", "pyproject.toml")
_FOLDERS = ("painting_jax", "configs", "tfds_builders", "launch", "tests", "benchmarks")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> pathlib.Path:
    """A folder with what the wheel adds to site-packages."""
    root = tmp_path_factory.mktemp("wheel")
    # Setuptools leaves files beside what it builds from.
    for name in _SOURCES:
        shutil.copy(tiny.ROOT / name, root)
    for name in _FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "fixtures")
        shutil.copytree(tiny.ROOT / name, root / name, ignore=ignored)
    options = ("--no-deps", "--disable-pip-version-check", "--quiet")
    pip(root, "wheel", ".", "--wheel-dir=dist", "--no-build-isolation", *options)
    [wheel] = (root / "dist").iterdir()
    target = root / "site-packages"
    pip(root, "install", str(wheel), f"--target={target}", "--no-compile", "--no-index", *options)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert "painting_jax/evaluation/lpips_heads.safetensors" in names
        assert "painting_jax/studio/page/index.html" in names
        assert "painting_jax/instruction/mixing/pigments.json" in names
    return target


def pip(folder: pathlib.Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments], cwd=folder, check=True)


@pytest.fixture(scope="module")
def run(installed, tmp_path_factory):
    """Runs Python in a folder of other packages of the repository's names."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("configs", "tests", "tfds_builders"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise ImportError('not the repository')")
    write_photos(folder / "photos", 3)

    def run(*arguments: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=tiny.environment(PYTHONPATH=os.fspath(installed)),
            capture_output=True,
            text=True,
            check=False,
        )
        done.folder = folder
        return done

    return run


def test_the_wheel_adds_painting_jax_alone(installed):
    names = {path.name.partition("-")[0] for path in installed.iterdir()}
    assert names == {"painting_jax"}


def test_its_verbs_run_beside_other_packages_of_the_repositorys_names(run):
    told = run("-m", "painting_jax.train", "--help")
    assert (told.returncode, told.stderr) == (0, "")
    prepared = run(
        *("-m", "painting_jax.prepare", "--builder=painted_images", "--source=photos"),
        *(f"--data_dir={base().data.data_dir}", "--media=oil"),
        *("--size=32", "--frames=4", "--variants=1"),
    )
    assert prepared.returncode == 0, prepared.stderr
    trained = run("-m", "painting_jax.train", "--workdir=run", *tiny.LEAST)
    assert trained.returncode == 0, trained.stderr
    assert (trained.folder / "run" / "checkpoints" / "2").is_dir()


def test_an_experiment_file_of_the_repository_is_read_there(run):
    config = f"--config={tiny.ROOT / 'configs' / 'wan22_ti2v_5b.py'}:lora,tiny"
    arguments = ("--config.steps=0", "--workdir=other", "--data_dir=nowhere")
    refused = run("-m", "painting_jax.train", config, *arguments)
    tiny.assert_one_line(refused, "config.steps=0: it must be from 1 to")
