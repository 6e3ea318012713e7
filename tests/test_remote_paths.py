"""Paths on other machines: read where a package can, refused in one line everywhere else."""

import importlib.util
import os

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from painting_jax import files, remote_paths
from painting_jax.config import base
from painting_jax.data import pictures, pipeline, subjects
from painting_jax.errors import UserError
from painting_jax.training.workdir import claimed


class Bucket(MemoryFileSystem):
    """A stand-in for the storage of gs://."""

    protocol = ("gs", "gcs")

    def __init__(self, *args, finalize_on_close: bool = True, **kwargs):
        del finalize_on_close
        super().__init__(*args, **kwargs)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("gcs://", "/").replace("gs://", "/"))


@pytest.fixture
def bucket(monkeypatch) -> Bucket:
    """A bucket with a picture, as if gcsfs were installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: name == "gcsfs" or find(name, *rest)
    )
    for name in Bucket.protocol:
        monkeypatch.setitem(importlib.import_module("fsspec.registry")._registry, name, Bucket)
    monkeypatch.setattr(Bucket, "store", {})
    filesystem = Bucket()
    picture_HWC = np.full((24, 32, 3), (200, 40, 40), np.uint8)
    filesystem.pipe_file("gs://bucket/photos/cat.png", pictures.encode(picture_HWC, "png"))
    return filesystem


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


def test_a_storage_that_gives_no_answer_is_named(bucket, monkeypatch):
    def refused(*_):
        raise RuntimeError("403\nno permission")

    monkeypatch.setattr(Bucket, "exists", refused)
    with pytest.raises(UserError, match="--image=gs://bucket/x cannot be read: 403 no permission"):
        remote_paths.check_readable("--image", "gs://bucket/x")


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("path", ["cat.png", "", "*.png"])
def test_pictures_are_read_from_a_bucket(path):
    [subject], skipped = subjects.from_files([f"gs://bucket/photos/{path}"])
    picture_HWC, _ = subject.load()
    assert picture_HWC.shape == (24, 32, 3)
    assert subject.name == "cat"
    assert not skipped


@pytest.mark.usefixtures("bucket")
def test_nothing_is_written_afar_nor_to_a_folder_of_the_scheme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not on this machine"), files.written_beside("gs://b/x"):
        pass
    with (
        pytest.raises(UserError, match="not on this machine"),
        files.folder_written_beside("gs:/b"),
    ):
        pass
    with (
        pytest.raises(UserError, match="not on this machine"),
        claimed("gs://b/run", base(), "data"),
    ):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["http://h/data", "s3://b/data"])
def test_data_sets_afar_are_refused_where_they_cannot_be_read(path):
    with pytest.raises(UserError, match=r"data_dir=(http|s3)://"):
        pipeline.DataSource(path, "train")
