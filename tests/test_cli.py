"""What the command line of every verb shares."""

import subprocess
import sys
import textwrap

import pytest
from absl import flags
from absl.testing import flagsaver

from painting_jax import cli
from painting_jax.errors import UserError
from tests import tiny

_COLOUR = flags.DEFINE_string("test_cli_colour", "red", "Of the canvas.")
_BRUSHES = flags.DEFINE_multi_string("test_cli_brush", ["flat", "round"], "Brush to paint with.")
_WET = flags.DEFINE_bool("test_cli_wet", False, "Whether the paint is wet.")
_COUNT = flags.DEFINE_integer("test_cli_count", None, "Of strokes.")


def main() -> None:
    """Does nothing."""


def _status(argv: list[str], verb=main) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.run(verb, ["verb", *argv])
    return caught.value.code


def _raising(error: BaseException):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize("spelling", ["--help", "-help", "-h"])
def test_help_shows_docstring_and_flags(capsys, spelling):
    assert _status([spelling]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("What the command line of every verb shares.")
    assert "--test_cli_colour: Of the canvas. [default: red]" in shown.out
    assert "--verbosity" not in shown.out
    assert "Options, as --name=value or --name value:" in shown.out
    # absl's own words on repeated options, and Python's on lists, are not ours.
    brush = "--test_cli_brush: Brush to paint with. May be repeated. [default: flat,round]"
    assert brush in shown.out
    assert "repeat this option" not in shown.out
    assert "--[no]test_cli_wet: Whether the paint is wet.\n" in shown.out + "\n"
    assert shown.err == ""


@pytest.mark.parametrize("argv", [["--test_cli_colour=blue"], ["--test_cli_colour", "blue"]])
def test_a_value_follows_an_equals_sign_or_a_space(argv):
    flags.FLAGS.unparse_flags()
    with flagsaver.flagsaver(test_cli_colour="red"):
        seen = []
        with pytest.raises(SystemExit) as caught:
            cli.run(lambda: seen.append(_COLOUR.value), ["verb", *argv])
        assert (caught.value.code or 0, seen) == (0, ["blue"])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--test_cli_color=red"], "test_cli_color"),
        (["--test_cli_colour"], "test_cli_colour"),
        (["picture.jpg"], "'picture.jpg': write options as --name=value or --name value"),
        (["--test_cli_count=many"], "test_cli_count=many"),
    ],
)
def test_what_is_not_understood_is_one_line_and_status_2(capsys, argv, said):
    assert _status(argv) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert said in shown.err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("no\n  such medium"), "error: no such medium"),
        (OSError(28, "No space left on device", "a.png"), "error: No space left on device: a.png"),
        (PermissionError(13, "Permission denied"), "error: Permission denied"),
    ],
)
def test_mistakes_are_one_line_and_status_2(capsys, error, line):
    assert _status([], _raising(error)) == 2
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("without a number")])
def test_our_own_mistakes_keep_their_traceback(error):
    with pytest.raises(type(error)):
        cli.run(_raising(error), ["verb"])


def test_ctrl_c_is_status_130_without_a_traceback_also_while_jax_compiles():
    code = """
import os
import signal
import threading

import jax
import jax.numpy as jnp

from painting_jax import cli

def held():
    try:
        yield
    finally:
        print("closed")

def slow(x):
    for k in range(400):
        x = jnp.sin(x @ x + k)[::-1].cumsum(0)
    return x

def main():
    for _ in held():
        lowered = jax.jit(slow).lower(jnp.ones((8, 8)))
        print("compiling")
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        lowered.compile()
        print("compiled")

cli.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "compiling\nclosed\n")
    assert done.stderr == "interrupted\n"


def test_reader_that_goes_away_is_no_error(tmp_path):
    program = tmp_path / "talk.py"
    program.write_text(
        textwrap.dedent(
            '''
            """Talks."""
            from painting_jax import cli

            def main():
                for line in range(100_000):
                    print(line)

            cli.run(main)
            '''
        )
    )
    done = subprocess.run(
        f"{sys.executable} {program} | head -1",
        shell=True,
        executable="/bin/bash",
        env=tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_path_that_is_no_text_is_printed_all_the_same():
    program = "from painting_jax import cli\ncli.run(lambda: print('caf\\udce9'), ['verb'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=tiny.environment(PYTHONIOENCODING="utf-8:strict"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf\\udce9\n", "")


@pytest.fixture
def count():
    """Sets the flag of a number."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()

    def set_to(value):
        return flagsaver.flagsaver(test_cli_count=value)

    return set_to


@pytest.mark.parametrize("value", [None, 1, 7])
def test_numbers_in_a_range_are_taken(count, value):
    with count(value):
        cli.require_from_to(_COUNT, 1, 7)


@pytest.mark.parametrize("value", [0, 8, 10**20, -1])
def test_numbers_out_of_a_range_are_refused(count, value):
    with (
        count(value),
        pytest.raises(UserError, match=f"--test_cli_count={value}: it must be from 1 to 7"),
    ):
        cli.require_from_to(_COUNT, 1, 7)
