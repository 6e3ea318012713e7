"""The order of painting that a user asks for: numbers of regions, or words in a prompt."""

import re
from collections.abc import Sequence

from painting_jax.errors import UserError

_MOST = 20  # parts of a picture
_QUOTED = 200  # characters of an order in an error


def numbers(order: str | None) -> tuple[int, ...]:
    """The numbers of regions in an order such as "3,1,2".

    Raises:
      UserError: If it is not a list of numbers.
    """
    if not order:
        return ()
    written = [part.strip() for part in order.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,3}", part, re.ASCII) for part in written):
        raise UserError(
            f"--order={order[:_QUOTED]}: this model knows regions by their numbers, as in 3,1,2; "
            "regions.png, which generate leaves, shows them"
        )
    return tuple(map(int, written))


def parts(order: str | None) -> tuple[str, ...]:
    """The parts of a picture in an order such as "1. sky 2. far trees".

    Raises:
      UserError: If its parts are not numbered from 1 on, or one is empty.
    """
    if not order:
        return ()
    begun, *pieces = re.split(r"(?:^|\s)(\d{1,2})\.(?=\s)", f"{order} ")
    found = [piece.strip().rstrip(".,;").strip() for piece in pieces[1::2]]
    counted = [int(number) for number in pieces[::2]]
    if begun.strip() or not found or counted != [*range(1, len(found) + 1)] or not all(found):
        raise UserError(
            f"--order={order[:_QUOTED]}: published weights are told an order in words, numbered "
            "from 1 on, as in '1. sky 2. far trees 3. water'"
        )
    if len(found) > _MOST:
        raise UserError(f"--order: {len(found)} parts, of which a prompt takes at most {_MOST}")
    return tuple(found)


def in_prompt(prompt: str, order: Sequence[str]) -> str:
    """The prompt with an order in the form of VideoSketcher (arXiv 2602.15819)."""
    if not order:
        return prompt
    listed = " ".join(f"{number}. {part}." for number, part in enumerate(order, start=1))
    return f"{prompt.rstrip(' .,')}, following this drawing order: {listed}"
