"""The cache of an evaluation."""

import numpy as np

from painting_jax.evaluation.cache import Cache, file_state


def test_an_entry_comes_back_under_its_key_and_settings_only(tmp_path):
    cache = Cache(tmp_path / "p", {"size": 64})
    assert cache.get(["cat"]) is None
    cache.put(["cat"], {"n": 1, "x": float("nan")}, {"a": np.arange(3)})
    meta, arrays = Cache(tmp_path / "p", {"size": 64}).get(["cat"])
    assert meta["n"] == 1
    assert np.isnan(meta["x"])
    np.testing.assert_array_equal(arrays["a"], np.arange(3))
    assert cache.get(["dog"]) is None
    assert Cache(tmp_path / "p", {"size": 65}).get(["cat"]) is None


def test_removing_leaves_what_is_not_ours(tmp_path):
    cache = Cache(tmp_path / "p", {})
    cache.put("a", {}, {})
    (tmp_path / "p" / "notes.txt").write_text("mine")
    cache.remove()
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["notes.txt"]
    (tmp_path / "p" / "notes.txt").unlink()
    cache.remove()
    assert not (tmp_path / "p").exists()


def test_a_changed_file_has_another_state(tmp_path):
    path = tmp_path / "cat.mp4"
    path.write_bytes(b"one")
    before = file_state(tmp_path)
    assert file_state(tmp_path) == before
    path.write_bytes(b"other")
    assert file_state(tmp_path) != before
