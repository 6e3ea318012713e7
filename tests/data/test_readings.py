"""Reading a source keeps its record, or gives the reason why there is none."""

import pytest

from painting_jax.data import kept_records, readings, remarks
from painting_jax.data.process import Process
from painting_jax.errors import UserError
from tests.data.test_kept_records import record


def _read(item: str) -> Process:
    remarks.add(f"read {item}")
    if item == "unusable":
        raise UserError("it is no recording")
    if item == "large":
        raise MemoryError
    if item == "odd":
        raise IndexError("list index out of range")
    return record()


def test_a_record_is_kept_with_the_remarks_on_it(tmp_path):
    task = readings.Task("cat", str(tmp_path / "1"))
    assert readings.Keeper(_read)(task) == (None, ["read cat"])
    assert kept_records.head(task.place).notes == ("read cat",)
    assert kept_records.read(task.place).id == "cat.mp4"


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("unusable", "it is no recording"),
        ("large", "more memory than there is"),
        ("odd", "nobody foresaw: IndexError in test_readings.py:"),
    ],
)
def test_whatever_fails_costs_itself_alone_and_says_why(tmp_path, item, said):
    reason, notes = readings.Keeper(_read)(readings.Task(item, str(tmp_path / "1")))
    assert said in reason
    assert notes == [f"read {item}"]
    assert not list(tmp_path.iterdir())


def test_a_record_that_cannot_be_written_stops_everything(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        readings.Keeper(_read)(readings.Task("cat", str(tmp_path / "file" / "1")))
