"""The command line of all programs: one-line errors, exit status 2, and `--help`."""

import contextlib
import inspect
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from absl import app, flags, logging

from painting_jax import buckets, interruption, memory, remote_paths
from painting_jax.errors import UserError, readable

_EXIT_USER_ERROR = 2
# Largest number of steps, seeds and the like.
MOST = 2**31 - 1
# What absl appends to the help of options that may be repeated.
_ABSL_ON_REPETITION = "; repeat this option to specify a list of values"

# Only tokenizers are used from transformers: its advice to install torch is irrelevant.
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")


def run(main: Callable[..., None], argv: list[str] | None = None) -> None:
    """Runs a program: parses its flags and calls `main`.

    A `UserError` prints one line and exits with status 2. absl itself would print its whole help
    and exit with status 1 on a bad flag. Ctrl-C and SIGTERM print one word, and exit with the
    status that shells report for them, 130 and 143.

    Args:
      main: Function to run. If it has a parameter, it takes what stands on the command line besides
        options, a list; other programs refuse that.
      argv: Program and arguments, by default those of the command line.
    """
    module = inspect.getmodule(main)
    takes_names = bool(inspect.signature(main).parameters)

    def parse_or_help(argv: list[str]) -> list[str]:
        if any(arg in ("--help", "-help", "-h") for arg in argv[1:]):
            print(help_of(module))
            sys.exit(0)
        return parse(argv, takes_names=takes_names)

    def guarded(rest: list[str]) -> None:
        main(*[rest[1:]] * takes_names)

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path need not be valid UTF-8. Invalid bytes are shown as escapes, as on standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    stopped_by = None
    try:
        # Keep the console for the programs' own output: libraries only log warnings and errors.
        logging.set_verbosity(logging.WARNING)
        with interruption.guarded() as stop:
            app.run(guarded, argv=sys.argv if argv is None else argv, flags_parser=parse_or_help)
    except UserError as error:
        _fail(error)
    except KeyboardInterrupt as interrupted:
        # JAX and others raise a plain one.
        stopped_by = getattr(interrupted, "number", signal.SIGINT)
    except BrokenPipeError:
        # The reader of our output has ended, as in `| head`. This is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # The user can fix errors such as a full disk or a missing permission, and the system's
        # message names them.
        said = _of_bucket(error) if error.errno is None else _of_system(error)
        if said is None:
            raise
        _fail(said)
    except Exception as error:
        # A library may turn the interruption into an error of its own.
        if stop.raised:
            stopped_by = stop.came[0]
        elif said := _of_memory(error) or _of_bucket(error):
            _fail(said)
        else:
            raise
    # Outside the handler, where the exception and its open files have been released.
    if stopped_by is not None:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        interruption.leave(stopped_by)


def parse(
    argv: list[str], values: flags.FlagValues = flags.FLAGS, *, takes_names: bool = False
) -> list[str]:
    """Parses a command line.

    Args:
      argv: Program and arguments.
      values: Where the flags are defined and set.
      takes_names: Whether arguments may stand behind the options.

    Returns:
      The program, and these arguments.

    Raises:
      UserError: If a flag is unknown, a value invalid, or the config file cannot be read.
    """
    try:
        rest = values(argv)
    except UserError:
        raise
    # config_flags raises AttributeError or KeyError for an unknown field, TypeError or
    # ValueError for a value of a wrong type, and OSError for a missing config file.
    except (flags.Error, TypeError, ValueError, OSError) as error:
        raise UserError(f"{_last_words(error)} (see --help)") from error
    except (AttributeError, KeyError) as error:
        raise UserError(f"the config has no field {_field(error)}") from error
    except (ImportError, NameError, SyntaxError) as error:
        raise UserError(f"the config file has a mistake: {error}") from error
    if rest[1:] and not takes_names:
        raise UserError(
            f"unexpected argument {rest[1]!r}: write options as --name=value or --name value"
        )
    return rest


def experiment(config: flags.FlagHolder) -> Any:
    """The experiment that a flag of `config_flags` names, a ConfigDict.

    Raises:
      UserError: If its file cannot be read.
    """
    try:
        # config_flags reports an unreadable file only when a field is accessed.
        config.value.keys()
    except OSError as error:
        raise UserError(f"--config: no experiment can be read from it: {error.__cause__}") from None
    return config.value


def refuse_empty(*names: flags.FlagHolder) -> None:
    """Refuses path flags that are given but empty, such as `--image=$UNSET`.

    Raises:
      UserError: If a flag is empty. The message names the first such flag.
    """
    for name, value in _given(names):
        if value == "":
            raise UserError(f"{name}= is empty: say what it names, or leave it out")


def require_given(*names: flags.FlagHolder) -> None:
    """Refuses a command without a flag that it cannot do without.

    Raises:
      UserError: If one is not given.
    """
    for flag in names:
        if flag.value is None:
            raise UserError(f"--{flag.name} is missing (see --help)")


def refuse_remote(*names: flags.FlagHolder) -> None:
    """Refuses paths that are not on this machine, for what is written or mapped into memory.

    Raises:
      UserError: If a flag names one. The message names the first such flag.
    """
    for name, value in _given(names):
        remote_paths.refuse(name, value)


def check_runs(*names: flags.FlagHolder) -> None:
    """Checks that the runs that flags name can lie there: on this machine, or in a bucket.

    Raises:
      UserError: As in `remote_paths.check_run`.
    """
    for name, value in _given(names):
        remote_paths.check_run(name, value)


def check_readable(*names: flags.FlagHolder) -> None:
    """Checks that what flags name can be read, if it is not on this machine.

    Raises:
      UserError: As in `remote_paths.check_readable`.
    """
    for name, value in _given(names):
        remote_paths.check_readable(name, value)


def require(flag: flags.FlagHolder, holds: Callable[[Any], bool], words: str) -> None:
    """Checks the value of a flag, if it has one.

    Args:
      flag: Flag of a number.
      holds: Predicate: whether a value is valid.
      words: Description of valid values, as it follows "it must be".

    Raises:
      UserError: If the value is invalid.
    """
    if flag.value is not None and not holds(flag.value):
        raise UserError(f"--{flag.name}={flag.value}: it must be {words}")


def require_from_to(flag: flags.FlagHolder, least: float, most: float = MOST) -> None:
    """Checks that a flag's number lies in a range, its ends included; see `require`."""
    require(flag, lambda value: least <= value <= most, f"from {least} to {most}")


def _given(names: Iterable[flags.FlagHolder]) -> Iterator[tuple[str, str]]:
    """The values of flags, which may have several or none, each with what stands before it."""
    for flag in names:
        values = flag.value if isinstance(flag.value, list) else [flag.value]
        yield from ((f"--{flag.name}", value) for value in values if value is not None)


def refuse_other_than_text(*texts: flags.FlagHolder) -> None:
    """Refuses text flags whose bytes are not UTF-8.

    Raises:
      UserError: If a flag is not UTF-8. The message names the first such flag.
    """
    for flag in texts:
        if flag.value != readable(flag.value):
            raise UserError(f"--{flag.name}={flag.value}: it must be UTF-8")


def _of_system(error: OSError) -> str:
    """What the system has refused."""
    where = f": {error.filename}" if error.filename else ""
    return f"{os.strerror(error.errno)}{where}"


def _of_memory(error: Exception) -> str | None:
    """What there was not enough memory for, if that is what an error is."""
    if not memory.is_exhausted(error):
        return None
    return f"{memory.shortage(error)}: ask for less at once (see --help)"


def _of_bucket(error: Exception) -> str | None:
    """What a bucket has refused, if that is what an error is."""
    # Whoever reads a bucket has loaded its package.
    if "gcsfs" not in sys.modules or not buckets.is_of_storage(error):
        return None
    return f"the bucket gives no answer: {buckets.refusal(error)}"


def _fail(message: object) -> None:
    print(f"error: {_one_line(message)}", file=sys.stderr)
    sys.exit(_EXIT_USER_ERROR)


def _last_words(error: Exception) -> str:
    """The message of an error; only its last line if it quotes the traceback of a config file."""
    text = str(error).strip()
    return text.splitlines()[-1] if "Traceback" in text else text


def _field(error: AttributeError | KeyError) -> str:
    """The unknown field that an error names, and a field with a similar name if there is one."""
    said = str(error.args[0]).replace("\\n", "\n").replace("\\", "")
    # The wording differs between a field set in a file and one set by a flag.
    set_in_a_file = re.search(r'Key "(\w+)" does not exist', said)
    name = set_in_a_file[1] if set_in_a_file else said.partition("\n")[0].strip("\"'")
    # Imported here, since programs without a config do not need its imports.
    from painting_jax.config import RENAMED  # noqa: PLC0415

    for old, new in RENAMED.items():
        if name == old.rpartition(".")[2]:
            return f"{name!r}: it is config.{new} now"
    alike = re.search('Did you mean "(.+?)"', said)
    return f"{name!r} (" + (f"did you mean {alike[1]!r}?)" if alike else "see its file)")


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def help_of(module) -> str:
    """The docstring of the program's module, and the flags that this module defines."""
    # absl registers the flags of the main module under the path of the program.
    name = sys.argv[0] if module.__name__ == "__main__" else module.__name__
    own = flags.FLAGS.flags_by_module_dict().get(name, [])
    lines = [inspect.getdoc(module) or "", "", "Options, as --name=value or --name value:"]
    for flag in sorted(own, key=lambda f: f.name):
        # The default of a config is not shown: it is long, and its file documents it.
        hidden = flag.default in (None, "", [], False) or hasattr(flag.default, "items")
        shown = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
        default = "" if hidden else f" [default: {shown}]"
        text = _one_line(flag.help or "")
        if text.endswith(_ABSL_ON_REPETITION):
            text = f"{text.removesuffix(_ABSL_ON_REPETITION).rstrip('.')}. May be repeated."
        lines.append(f"  --{'[no]' * flag.boolean}{flag.name}: {text}{default}")
    return "\n".join(lines)
