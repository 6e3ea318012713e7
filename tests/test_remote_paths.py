"""Paths on other machines: read where a package can, refused in one line everywhere else."""

import importlib.util
import os
import pathlib

import fsspec
import numpy as np
import pytest
from etils import epath

from painting_jax import files, remote_paths
from painting_jax.config import base
from painting_jax.data import kept_records, pictures, pipeline, subjects, unfinished_build
from painting_jax.errors import UserError
from painting_jax.training.workdir import claimed
from tests import tiny
from tests.data.test_kept_records import head, record
from tests.verbs import Verb


@pytest.fixture(scope="module")
def stored(bucket) -> fsspec.AbstractFileSystem:
    """The bucket, with a picture."""
    del bucket
    filesystem = fsspec.filesystem("gs")
    picture_HWC = np.full((24, 32, 3), (200, 40, 40), np.uint8)
    filesystem.pipe_file("gs://bucket/photos/cat.png", pictures.encode(picture_HWC, "png"))
    return filesystem


@pytest.fixture(scope="module")
def afar(stored, painted_dir) -> str:
    """Address of a data set in the bucket."""
    for path in painted_dir.rglob("*"):
        if path.is_file():
            stored.put_file(str(path), f"bucket/data/{path.relative_to(painted_dir)}")
    return "gs://bucket/data"


@pytest.mark.parametrize(
    "path",
    [
        *(f"{scheme}://b/x" for scheme in ("gs", "s3", "az", "hf", "http", "https", "ftp", "GS")),
        "file:///x",
        "memory://x",
        "gs:/b/x",
        "http:/h/x",
    ],
)
def test_addresses_are_told_from_paths(path):
    assert remote_paths.is_remote(path)
    with pytest.raises(UserError, match=r"--output=.* is not on this machine: name a local path"):
        remote_paths.refuse("--output", path)


@pytest.mark.parametrize(
    "path", ["runs/demo", "/a/b", "", "a:b", "oil:0.7,pencil:0.3", "C:/x", "~/x", "ours:/a", "."]
)
def test_paths_of_this_machine_are_left_alone(path):
    assert not remote_paths.is_remote(path)
    remote_paths.refuse("--output", path)
    remote_paths.check_readable("--image", path)


def test_an_address_in_a_list_is_refused():
    for value in ("ours:gs://b/x,theirs:y", "a.safetensors:1.0,s3://b/x"):
        with pytest.raises(UserError, match="is not on this machine"):
            remote_paths.refuse("--lora", value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gs://b/x", r"needs the package gcsfs \(pip install 'painting_jax\[gcs\]'\)"),
        ("s3://b/x", r"needs the package s3fs \(pip install s3fs\)"),
        ("az://b/x", "needs the package adlfs"),
        ("http://h/x.png", "only gs://, s3://, az:// are read from afar"),
        ("gs:/b/x", "only gs://"),
        ("hf://b/x", "only gs://"),
    ],
)
def test_what_cannot_be_read_names_the_package(monkeypatch, path, said):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None)
    with pytest.raises(UserError, match=said):
        remote_paths.check_readable("--image", path)


@pytest.mark.usefixtures("stored")
def test_a_storage_that_refuses_is_named(bucket, monkeypatch):
    monkeypatch.setattr(bucket, "refuse", lambda method, name: 403)
    said = "--image=gs://bucket/x cannot be read: Forbidden: b/bucket/o it may not be touched"
    with pytest.raises(UserError, match=said):
        remote_paths.check_readable("--image", "gs://bucket/x")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("path", ["cat.png", "", "*.png"])
def test_pictures_are_read_from_a_bucket(path):
    [subject], skipped = subjects.from_files([f"gs://bucket/photos/{path}"])
    picture_HWC, _ = subject.load()
    assert picture_HWC.shape == (24, 32, 3)
    assert subject.name == "cat"
    assert not skipped


@pytest.mark.parametrize("path", ["s3://b/run", "gs:/b/run", "gs://", "gs://b", "http://h/run"])
def test_nothing_is_written_afar_but_in_buckets(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    if not remote_paths.in_bucket(path):
        with pytest.raises(UserError, match="not on this machine"), files.written_beside(path):
            pass
        with (
            pytest.raises(UserError, match="not on this machine"),
            files.folder_written_beside(path),
        ):
            pass
    with (
        pytest.raises(UserError, match="a run lies on this machine or in gs://BUCKET/FOLDER"),
        claimed(path, base(), "data"),
    ):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["http://h/data", "s3://b/data"])
def test_data_sets_afar_are_refused_where_they_cannot_be_read(path):
    with pytest.raises(UserError, match=r"data_dir=(http|s3)://"):
        pipeline.DataSource(path, "train")


def test_a_data_set_is_read_from_a_bucket(afar, painted_dir):
    remote_paths.check_readable("--data_dir", afar)
    ours, theirs = (pipeline.DataSource(path, "train") for path in (afar, painted_dir))
    assert len(ours) == len(theirs)
    assert ours.captions() == theirs.captions()
    for row in (0, len(ours) - 1):
        assert ours[row].frames == theirs[row].frames


def test_a_training_reads_its_data_from_a_bucket(afar, tmp_path):
    config = f"--config={tiny.ROOT / 'configs' / 'demo.py'}"
    workdir = f"--workdir={tmp_path / 'run'}"
    train = Verb("train", tmp_path)
    trained = train(config, f"--data_dir={afar}", workdir, *tiny.LEAST)
    assert trained.returncode == 0, trained.stderr
    assert "trained 2 steps" in trained.stdout


def test_records_are_kept_in_a_bucket(stored):
    """Where workers on several machines see them."""
    folder = epath.Path("gs://bucket/kept/recorded_processes/default/1.0.0")
    for name in ("1" * 64, "2" * 64):
        kept_records.write(folder / name, record(), head())
    assert kept_records.head(folder / ("1" * 64)) == head()
    assert kept_records.head(folder / ("3" * 64)) is None
    assert kept_records.only(folder, ["2" * 64, "3" * 64]) == {"2" * 64}
    assert kept_records.read(folder / ("2" * 64)).frames == record().frames
    left = unfinished_build.Left(pathlib.Path("none"), folder)
    left.remove()
    assert not stored.find("bucket/kept")
