"""Data sets beyond what TFDS sorts in memory are written all the same."""

import numpy as np
import pytest
from tensorflow_datasets.core import shuffle

from painting_jax.data import shuffle_files
from painting_jax.data.pipeline import DataSource
from tests.synthetic import build_painted, write_photos


def test_records_are_sorted_as_in_memory(tmp_path, monkeypatch):
    shuffle_files.use()
    rng = np.random.default_rng(0)
    records = [(f"key {n}", rng.bytes(int(rng.integers(0, 300)))) for n in range(500)]
    orders = []
    for limit in (1 << 30, 2000):
        monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", limit)
        shuffler = shuffle.Shuffler(tmp_path / str(limit), "salt")
        for key, data in records:
            shuffler.add(key, data)
        assert shuffler.size == sum(len(data) for _, data in records)
        assert sum(shuffler.bucket_lengths) == len(records)
        orders.append(list(shuffler))
    in_memory, in_files = orders
    assert in_memory == in_files
    assert not list((tmp_path / "2000").iterdir())


def test_the_same_key_twice_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 1)
    shuffler = shuffle.Shuffler(tmp_path / "buckets", "salt")
    for _ in range(2):
        shuffler.add("key", b"record")
    with pytest.raises(shuffle.DuplicatedKeysError):
        list(shuffler)


def test_a_large_data_set_is_that_of_a_small_one(tmp_path, monkeypatch):
    write_photos(tmp_path / "photos", 4)
    built = []
    for limit in (1 << 30, 1000):
        monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", limit)
        build_painted(tmp_path / str(limit), tmp_path / "photos")
        source = DataSource(tmp_path / str(limit), "train")
        built.append([source[n] for n in range(len(source))])
    for small, large in zip(*built, strict=True):
        assert small.id == large.id
        assert small.frames == large.frames
