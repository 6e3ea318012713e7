"""Objects in buckets: whole or absent, never of two writers, copied here when they are mapped."""

import contextlib
import os
import pathlib

import pytest
from etils import epath

from painting_jax import buckets, files
from painting_jax.appended import Appended
from painting_jax.errors import UserError


@pytest.fixture
def place(bucket, request, monkeypatch, tmp_path) -> str:
    """An address for one test; what is fetched is kept in its folder."""
    del bucket
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"gs://bucket/{request.node.name}"


def test_an_object_is_written_if_nobody_else_has_changed_it(place):
    first = buckets.write(place, b"1", generation=0)
    assert buckets.read(place) == (b"1", first)
    with pytest.raises(buckets.Taken, match="is written by somebody else, too"):
        buckets.write(place, b"2", generation=0)
    second = buckets.write(place, b"2", generation=first)
    with pytest.raises(buckets.Taken):
        buckets.remove(place, generation=first)
    buckets.remove(place, generation=second)
    assert buckets.read(place) is None
    buckets.remove(place)


def test_what_is_not_written_to_its_end_is_not_there(place):
    with contextlib.suppress(RuntimeError), files.written_beside(f"{place}/file") as beside:
        beside.write_bytes(b"half")
        raise RuntimeError
    with contextlib.suppress(RuntimeError), files.folder_written_beside(f"{place}/dir") as beside:
        (beside / "file").write_bytes(b"half")
        raise RuntimeError
    assert buckets.names(place) == []
    with files.written_beside(f"{place}/file") as beside:
        beside.write_bytes(b"whole")
    assert epath.Path(place, "file").read_bytes() == b"whole"


def test_a_folder_is_whole_as_long_as_its_last_file_is_there(place, bucket, tmp_path, monkeypatch):
    folder = epath.Path(place) / "new"
    for content in ("old", "newer"):
        with files.folder_written_beside(folder, last="a.json") as beside:
            (beside / "below").mkdir()
            (beside / "below" / content).write_text(content)
            (beside / "a.json").write_text(content)
    assert {path.name for path in (folder / "below").iterdir()} == {"newer"}
    seen: list[tuple[str, str]] = []

    def record(method: str, name: str) -> int:
        seen.append((method, name.rpartition("/")[2]))
        return 0

    monkeypatch.setattr(bucket, "refuse", record)
    files.move_folder(folder, epath.Path(place) / "kept", last="a.json")
    assert seen.index(("DELETE", "a.json")) < seen.index(("DELETE", "newer"))
    assert buckets.names(place) == ["kept"]
    assert (epath.Path(place) / "kept" / "a.json").read_text() == "newer"


def test_a_file_grows_at_its_end(place, bucket):
    for lines in ((b"1\n", b"2\n"), (), (b"3\n",)):
        log = Appended(place)
        for line in lines:
            log.write(line)
        log.close()
    assert buckets.read(place)[0] == b"1\n2\n3\n"
    assert f"{place.rpartition('/')[2]}.part" not in bucket.names()


def test_a_copy_here_follows_the_object(place):
    with pytest.raises(FileNotFoundError):
        files.local(place)
    buckets.write(f"{place}/folder/file", b"1")
    copy = files.local(f"{place}/folder")
    assert copy.name == "folder"
    assert (copy / "file").read_bytes() == b"1"
    assert files.local(f"{place}/folder") == copy
    buckets.write(f"{place}/folder/file", b"2")
    assert files.local(f"{place}/folder/file").read_bytes() == b"2"
    again = files.local(f"{place}/folder")
    assert (again / "file").read_bytes() == b"2"
    assert not copy.exists()
    assert files.local("here/file") == pathlib.Path("here/file")


def test_no_name_of_an_object_leads_out_of_its_copy(place, tmp_path, monkeypatch):
    # The emulator has no such names; Cloud Storage has.
    monkeypatch.setattr(buckets, "generations", lambda _: {"run/../../../../outside": 1})
    with pytest.raises(UserError, match=r"holds an object whose name is no path: .*/outside$"):
        files.local(f"{place}/run")
    assert not list(tmp_path.rglob("outside"))


def test_what_a_library_leaves_in_a_folder_is_copied(place, tmp_path):
    with files.filled(f"{place}/profile") as folder:
        (folder / "trace").mkdir()
        (folder / "trace" / "1").write_text("x")
    assert (epath.Path(place) / "profile" / "trace" / "1").read_text() == "x"
    assert not folder.exists()
    with files.filled(tmp_path / "profile") as folder:
        assert folder == tmp_path / "profile"


def test_what_the_bucket_refuses_is_one_line(place, bucket, monkeypatch):
    monkeypatch.setattr(bucket, "refuse", lambda method, name: 403)
    for attempt in (
        lambda: buckets.write(place, b"1"),
        lambda: buckets.read(place),
        lambda: buckets.names(place),
        lambda: buckets.append(place, b"1"),
    ):
        with pytest.raises(UserError, match=r"cannot be (read|written): (403 )?it may not be to"):
            attempt()
    monkeypatch.undo()
    with pytest.raises(UserError, match="cannot be written: there is no bucket none"):
        buckets.write("gs://none/x", b"1")
    assert os.fspath(place) not in bucket.names()


def test_only_errors_of_the_storage_are_refusals():
    assert buckets.refusal(ValueError("PERMISSION_DENIED: Error reading gs://b/x")) is not None
    caused = ValueError("of the data")
    caused.__cause__ = OSError("Forbidden: b/bucket/o")
    assert buckets.refusal(caused) == "Forbidden: b/bucket/o"
    assert buckets.refusal(TimeoutError()) == "TimeoutError"
    for of_data in (ValueError("NOT_FOUND: no manifest"), FileNotFoundError("x"), KeyError("x")):
        assert buckets.refusal(of_data) is None
