"""What an evaluation keeps of what it has done."""

import numpy as np

from painting_jax.evaluation.store import Store, file_state


def test_an_entry_comes_back_under_its_key_and_settings_only(tmp_path):
    store = Store(tmp_path / "p", {"size": 64})
    assert store.get(["cat"]) is None
    store.put(["cat"], {"n": 1, "x": float("nan")}, {"a": np.arange(3)})
    meta, arrays = Store(tmp_path / "p", {"size": 64}).get(["cat"])
    assert meta["n"] == 1
    assert np.isnan(meta["x"])
    np.testing.assert_array_equal(arrays["a"], np.arange(3))
    assert store.get(["dog"]) is None
    assert Store(tmp_path / "p", {"size": 65}).get(["cat"]) is None


def test_removing_leaves_what_is_not_ours(tmp_path):
    store = Store(tmp_path / "p", {})
    store.put("a", {}, {})
    (tmp_path / "p" / "notes.txt").write_text("mine")
    store.remove()
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["notes.txt"]
    (tmp_path / "p" / "notes.txt").unlink()
    store.remove()
    assert not (tmp_path / "p").exists()


def test_a_changed_file_has_another_state(tmp_path):
    path = tmp_path / "cat.mp4"
    path.write_bytes(b"one")
    before = file_state(tmp_path)
    assert file_state(tmp_path) == before
    path.write_bytes(b"other")
    assert file_state(tmp_path) != before
