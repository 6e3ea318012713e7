"""What a folder of data declares is compared with our record, and never run."""

import json
import pathlib
import shutil
import sys

import pytest
import tensorflow_datasets as tfds

from painting_jax.data import dataset_folder, pipeline, process
from painting_jax.errors import UserError


@pytest.fixture
def folder(painted_dir, tmp_path) -> pathlib.Path:
    """A data set that may be changed."""
    [info] = painted_dir.rglob("dataset_info.json")
    return pathlib.Path(shutil.copytree(info.parent, tmp_path / "data"))


def _change(path: pathlib.Path, *keys: str, value: object) -> None:
    whole = json.loads(path.read_text())
    inside = whole
    for key in keys[:-1]:
        inside = inside[key]
    inside[keys[-1]] = value
    path.write_text(json.dumps(whole))


def _refused(folder: pathlib.Path, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        pipeline.DataSource(folder, "train")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_what_tfds_reads_is_what_is_declared(folder):
    declared = dataset_folder.read(folder, process.features())
    info = tfds.builder_from_directory(folder).info
    assert declared.media == info.features["medium"].names
    assert {split: sum(lengths) for split, lengths in declared.shards.items()} == {
        name: split.num_examples for name, split in info.splits.items()
    }


_CLASS = "pythonClassName"
_PLANTED = "planted.Feature"


@pytest.mark.parametrize(
    "keys",
    [
        (_CLASS,),
        ("featuresDict", "features", "caption", _CLASS),
        ("featuresDict", "features", "frames", "sequence", "feature", _CLASS),
        ("featuresDict", "features", "medium", _CLASS),
        (
            *("featuresDict", "features", "variants", "sequence", "feature"),
            *("featuresDict", "features", "kind", _CLASS),
        ),
    ],
)
def test_a_class_that_a_data_set_names_is_not_imported(folder, tmp_path, monkeypatch, keys):
    (folder / "planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    _change(folder / "features.json", *keys, value=_PLANTED)
    _refused(folder, "features.json declares")
    assert not (tmp_path / "ran").exists()
    assert "planted" not in sys.modules


def test_a_feature_of_another_kind_is_refused_though_its_module_is_loaded(folder):
    audio = "tensorflow_datasets.core.features.audio_feature.Audio"
    entry = {_CLASS: audio, "audio": {}}
    _change(folder / "features.json", "featuresDict", "features", "caption", value=entry)
    _refused(folder, "declares caption in another way")
    _change(folder / "features.json", "featuresDict", "features", "extra", value=entry)
    _refused(folder, "declares caption, extra in another way")


def test_the_module_of_the_builder_is_not_imported(folder, tmp_path, monkeypatch):
    (folder / "planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(str(folder))
    _change(folder / "dataset_info.json", "moduleName", value="planted")
    assert len(pipeline.DataSource(folder, "train")) == 8
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("fileFormat",), "tfrecord", "'tfrecord', not array_record"),
        (("fileFormat",), None, "None"),
        (("name",), "../../etc", "no word"),
        (("name",), 7, "damaged"),
        (("splits", 0, "name"), "../train", "no word"),
        (("splits", 0, "filepathTemplate"), "/etc/passwd", "other names"),
        (("splits", 0, "shardLengths"), ["many"], "damaged"),
        (("splits", 0, "shardLengths"), "9" * 5000, "damaged"),
        (("splits", 0, "shardLengths"), None, "damaged"),
        (("splits",), 3, "damaged"),
        (("splits",), [], "no train split"),
    ],
)
def test_a_description_that_is_none_is_refused(folder, keys, value, said):
    _change(folder / "dataset_info.json", *keys, value=value)
    _refused(folder, said)


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 99_999])
def test_a_damaged_description_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    _refused(folder, name)


@pytest.mark.parametrize("name", ["features.json", "medium.labels.txt"])
def test_a_missing_description_is_named(folder, name):
    (folder / name).unlink()
    _refused(folder, name)


def test_a_description_of_any_size_costs_nothing(folder):
    with (folder / "features.json").open("r+b") as file:
        file.truncate(1 << 40)
    _refused(folder, "features.json has more than 64 MB")


def test_a_data_set_of_fewer_media_is_one_of_ours(folder):
    _change(
        folder / "features.json",
        *("featuresDict", "features", "medium", "classLabel"),
        value={"numClasses": "2"},
    )
    assert len(pipeline.DataSource(folder, "train")) == 8
