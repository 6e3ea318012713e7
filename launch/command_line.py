"""A command line is split: what the launcher takes, and what is passed on."""

import itertools
from collections.abc import Callable, Sequence


def take(
    argv: Sequence[str], is_taken: Callable[[str], bool], has_value: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """Splits arguments in two, each in the order in which it stands.

    Args:
      argv: Arguments, as --name=value or --name value.
      is_taken: Whether a flag of this name is taken.
      has_value: Whether a flag of this name has a value, which may be the next argument.

    Returns:
      The arguments that are taken, and the others.
    """
    taken: list[str] = []
    others: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, _ = word.lstrip("-").partition("=")
        if not (word.startswith("-") and is_taken(name)):
            others.append(word)
            continue
        taken.append(word)
        if not equals and has_value(name):
            taken += itertools.islice(words, 1)
    return taken, others


def replaced(argv: Sequence[str], name: str, value: str) -> list[str]:
    """Arguments in which a flag has another value, where the flag stood, or at their end."""
    taken, others = take(argv, name.__eq__, lambda _: True)
    # All before its first word are others.
    place = argv.index(taken[0]) if taken else len(others)
    return [*others[:place], f"--{name}={value}", *others[place:]]


def value_of(argv: Sequence[str], name: str) -> str | None:
    """The last value of a flag in arguments; None if it is not there."""
    taken, _ = take(argv, name.__eq__, lambda _: True)
    if not taken:
        return None
    return taken[-1].partition("=")[2] if taken[-1].startswith("-") else taken[-1]
