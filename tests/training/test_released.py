"""A run that is passed on as a folder: it paints the same, and trains further."""

import json
import pathlib
from collections.abc import Callable

import jax
import numpy as np
import pytest
import safetensors.numpy

from painting_jax.data import pictures
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.run import Run
from painting_jax.sharding.mesh import make_mesh
from painting_jax.training import released
from tests import tiny, tiny_run
from tests.synthetic import scene
from tests.verbs import Verb


@pytest.fixture(scope="module")
def verb(tmp_path_factory) -> Callable[[str], Verb]:
    folder = tmp_path_factory.mktemp("printed")
    return lambda name: Verb(name, folder)


@pytest.fixture(scope="module")
def root(verb, tmp_path_factory) -> pathlib.Path:
    """A run with random parameters, released in two dtypes by the verb."""
    root = tmp_path_factory.mktemp("released")
    tiny.prepare(root / "data")
    tiny_run.write(root / "run", root / "data", captions=["a cat"], flags=tiny.LEAST)
    for dtype in ("float32", "bfloat16"):
        done = verb("convert")(
            f"--source={root}/run", f"--target={root}/{dtype}", f"--dtype={dtype}"
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"released after 0 training steps\n{root}/{dtype}\n"
    return root


def parameters(workdir: pathlib.Path) -> list[np.ndarray]:
    run = Run.load(workdir, Devices(make_mesh({}, jax.devices()[:1])))
    assert run.text_conditioner.unknown("a cat") == []
    return [np.asarray(leaf) for leaf in jax.tree.leaves(run.params)]


def test_a_released_run_has_the_parameters_of_the_run(root):
    its, exact, half = (parameters(root / name) for name in ("run", "float32", "bfloat16"))
    for a, b, c in zip(its, exact, half, strict=True):
        np.testing.assert_array_equal(a, b)
        # A bfloat16 has eight bits.
        np.testing.assert_allclose(a, c, rtol=2**-8)
        assert b.dtype == c.dtype == a.dtype
    sizes = [(root / name / released.WEIGHTS).stat().st_size for name in ("float32", "bfloat16")]
    assert 1.7 < sizes[0] / sizes[1] < 2


def test_a_released_run_names_no_folder_of_its_maker(root):
    for file in (root / "float32").rglob("*.json"):
        assert str(root) not in file.read_text()


def test_training_starts_from_a_released_run(verb, root):
    done = verb("train")(
        "--config=configs/demo.py",
        f"--data_dir={root}/data",
        f"--workdir={root}/more",
        f"--config.init_from={root}/float32",
        *tiny.LEAST,
    )
    assert done.returncode == 0, done.stderr
    assert f"started from {root}/float32" in done.stdout


def spoiled(root: pathlib.Path, folder: pathlib.Path, change) -> pathlib.Path:
    """A released run whose tensors are changed."""
    folder.mkdir()
    for file in (root / "float32").rglob("*"):
        if file.is_file():
            to = folder / file.relative_to(root / "float32")
            to.parent.mkdir(exist_ok=True)
            to.write_bytes(file.read_bytes())
    tensors = safetensors.numpy.load_file(folder / released.WEIGHTS)
    change(tensors)
    safetensors.numpy.save_file(tensors, folder / released.WEIGHTS)
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("token_table"), "it has no token_table"),
        (lambda tensors: tensors.update(token_table=np.zeros((2, 3))), r"token_table is \(2, 3\)"),
        (lambda tensors: tensors["token_table"].fill(np.nan), "is damaged"),
    ],
)
def test_other_tensors_are_refused(root, tmp_path, change, said):
    with pytest.raises(UserError, match=said):
        Run.load(
            spoiled(root, tmp_path / "other", change), Devices(make_mesh({}, jax.devices()[:1]))
        )


def test_a_damaged_file_ends_in_one_line(verb, root, tmp_path):
    folder = spoiled(root, tmp_path / "cut", lambda tensors: None)
    with (folder / released.WEIGHTS).open("r+b") as file:
        file.truncate(1000)
    (tmp_path / "cat.png").write_bytes(pictures.encode(scene(0), "png"))
    image, output = f"--image={tmp_path}/cat.png", f"--output={tmp_path}/out"
    said = "model.safetensors is truncated, damaged or not a safetensors file"
    verb("generate").refuses(f"--workdir={folder}", image, output, said=said)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--format=comfyui"], "no other program knows"),
        (["--lora=a.safetensors"], "--lora: the model of"),
    ],
)
def test_what_does_not_fit_a_model_of_ones_own_is_refused(verb, root, tmp_path, flags, said):
    arguments = (f"--source={root}/run", f"--target={tmp_path}/new")
    verb("convert").refuses(*arguments, *flags, said=said)
    assert not (tmp_path / "new").exists()


def test_the_packaged_weights_are_whole():
    """Their size is bounded, their photos have licences, and the card says which they are."""
    folder = released.PACKAGED
    assert (folder / released.WEIGHTS).stat().st_size <= 25e6
    config = json.loads((folder / "config.json").read_text())
    assert config["data"]["height"] // config["model"]["spatial"] == 128
    assert config["data"]["frames"] >= 17
    card = (folder / "README.md").read_text()
    rows = (folder / "photos.csv").read_text().splitlines()[1:]
    assert len(rows) > 300
    for row in rows:
        registry, package, *_ = row.split(",")
        assert registry in ("npm", "deb")
        assert package in card
