"""Command lines are split between the launcher, a sweep and the training."""

import pytest

from launch import command_line


def _take(argv: list[str]) -> tuple[list[str], list[str]]:
    return command_line.take(
        argv, lambda name: name.startswith("xm_"), lambda name: name != "xm_on"
    )


@pytest.mark.parametrize(
    ("argv", "taken"),
    [
        (["--xm_a", "local", "--workdir", "r"], ["--xm_a", "local"]),
        (["--workdir", "r", "--xm_a=local"], ["--xm_a=local"]),
        (["-xm_a", "local", "--steps", "2"], ["-xm_a", "local"]),
        # A switch has no value.
        (["--xm_on", "--workdir=r"], ["--xm_on"]),
        (["--xm_a"], ["--xm_a"]),
        (["--config=a.py:xm_x", "--workdir=--xm_y"], []),
    ],
)
def test_flags_are_taken_with_their_values(argv, taken):
    assert _take(argv) == (taken, [word for word in argv if word not in taken])


def test_a_flag_is_replaced_where_it_stood_and_its_last_value_counts():
    argv = ["--config.steps=2", "--workdir", "a", "--data_dir=d"]
    assert command_line.replaced(argv, "workdir", "b") == [
        "--config.steps=2",
        "--workdir=b",
        "--data_dir=d",
    ]
    assert command_line.replaced(["--x=1"], "workdir", "b") == ["--x=1", "--workdir=b"]
    assert command_line.value_of(argv, "workdir") == "a"
    assert command_line.value_of([*argv, "--workdir=c=d"], "workdir") == "c=d"
    assert command_line.value_of(argv, "nothing") is None
