"""What every verb's command line shares: one-line errors, exit status 2, a --help that explains."""

import contextlib
import inspect
import io
import os
import re
import sys
from collections.abc import Callable
from typing import NoReturn

from absl import app, flags, logging

from painting_jax.errors import UserError, readable

_EXIT_USER_ERROR = 2
# As shells tell of a program that Ctrl-C ended.
_EXIT_INTERRUPTED = 130

# Tokenizers are all that is taken of transformers: that there is no torch is no news.
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")


def run(main: Callable[[], None], argv: list[str] | None = None) -> None:
    """Runs a verb: parses its flags, calls `main()`; a `UserError` is one line and status 2.

    `argv` are the program and its arguments, by default those it was started with.

    absl itself prints its whole help and exits with 1 on a bad flag, hence this wrapper.
    """
    module = inspect.getmodule(main)

    def parse(argv: list[str]) -> list[str]:
        if any(arg in ("--help", "-help", "-h") for arg in argv[1:]):
            print(_help(module))
            sys.exit(0)
        try:
            rest = flags.FLAGS(argv)
        except UserError:
            raise
        # config_flags raises AttributeError or KeyError for a field that does not exist, TypeError
        # or ValueError for one of another type, OSError for a config file that is not there.
        except (flags.Error, TypeError, ValueError, OSError) as error:
            raise UserError(f"{_last_words(error)} (see --help)") from error
        except (AttributeError, KeyError) as error:
            raise UserError(f"the config has no field {_field(error)}") from error
        except (ImportError, NameError, SyntaxError) as error:
            raise UserError(f"the config file has a mistake: {error}") from error
        if rest[1:]:
            raise UserError(
                f"unexpected argument {rest[1]!r}: every option is given as --name=value"
            )
        return rest

    def guarded(_: list[str]) -> None:
        main()

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path need not be text: what is not is shown as its bytes, here as on standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    interrupted = False
    try:
        # The console belongs to the verbs' own words: libraries speak up from warnings on.
        logging.set_verbosity(logging.WARNING)
        app.run(guarded, argv=sys.argv if argv is None else argv, flags_parser=parse)
    except UserError as error:
        _fail(error)
    except KeyboardInterrupt:
        interrupted = True
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong with the run.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # A full disk, a missing permission: the user's to mend, and named by the system itself.
        if error.errno is None:
            raise
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{os.strerror(error.errno)}{where}")
    # Behind the handler: what the exception held open has been closed, and cleared away.
    if interrupted:
        _leave_interrupted()


def refuse_empty(*names: flags.FlagHolder) -> None:
    """Refuses flags of paths that are given and empty, as `--image=$UNSET` is.

    Raises:
      UserError: for the first of them.
    """
    for flag in names:
        values = flag.value if isinstance(flag.value, list) else [flag.value]
        if "" in values:
            raise UserError(f"--{flag.name}= is empty: say what it names, or leave it out")


def refuse_other_than_text(*texts: flags.FlagHolder) -> None:
    """Refuses flags of words whose bytes are not UTF-8.

    Raises:
      UserError: for the first of them.
    """
    for flag in texts:
        if flag.value != readable(flag.value):
            raise UserError(f"--{flag.name}={flag.value}: it must be UTF-8")


def _fail(message: object) -> None:
    print(f"error: {_one_line(message)}", file=sys.stderr)
    sys.exit(_EXIT_USER_ERROR)


def _leave_interrupted() -> NoReturn:
    """Ends the program, but not the interpreter.

    JAX compiles in a thread of its own, which neither ends with the wait for it nor bears that its
    client is taken down: the interpreter would wait for it and then crash.
    """
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(_EXIT_INTERRUPTED)


def _last_words(error: Exception) -> str:
    """What an error says; of one that quotes the traceback of a config file, its last line."""
    text = str(error).strip()
    return text.splitlines()[-1] if "Traceback" in text else text


def _field(error: AttributeError | KeyError) -> str:
    """The field that does not exist, and one of a name like it, out of an error's quotes."""
    said = str(error.args[0]).replace("\\n", "\n").replace("\\", "")
    # Of a file that sets the field, and of a flag that does.
    set_in_a_file = re.search(r'Key "(\w+)" does not exist', said)
    name = set_in_a_file[1] if set_in_a_file else said.partition("\n")[0].strip("\"'")
    # Of the verbs, those that have no config need not load what its table does.
    from painting_jax.config import RENAMED  # noqa: PLC0415

    for old, new in RENAMED.items():
        if name == old.rpartition(".")[2]:
            return f"{name!r}: it is config.{new} now"
    alike = re.search('Did you mean "(.+?)"', said)
    return f"{name!r} (" + (f"did you mean {alike[1]!r}?)" if alike else "see its file)")


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _help(module) -> str:
    """The verb's docstring, then the flags that its own module defines."""
    # absl knows the program itself by how it was called.
    name = sys.argv[0] if module.__name__ == "__main__" else module.__name__
    own = flags.FLAGS.flags_by_module_dict().get(name, [])
    lines = [inspect.getdoc(module) or "", "", "Options:"]
    for flag in sorted(own, key=lambda f: f.name):
        # A config is not shown whole: its file says what there is.
        hidden = flag.default in (None, "", [], False) or hasattr(flag.default, "items")
        default = "" if hidden else f" [default: {flag.default}]"
        lines.append(f"  --{flag.name}: {_one_line(flag.help or '')}{default}")
    return "\n".join(lines)
