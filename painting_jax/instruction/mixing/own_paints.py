"""A user's own list of paints, in a text file.

One paint a line: the name of a pigment, its Colour Index name, or a name of one's own and what it
is, as in

    Titanium white
    PB29
    My ochre = PY42
    Old pink = #d98a95

Lines that begin with "//" are comments.
"""

import os

from painting_jax.errors import UserError, readable
from painting_jax.instruction.mixing import paint_sets, pigments
from painting_jax.instruction.mixing.paints import NEAREST, Paint, PaintSet

_MAX_BYTES = 100_000
# All mixtures of a set are tried.
_MOST_TO_MIX, _MOST = 18, 500
_LONGEST_NAME = 60


def load(path: str | os.PathLike, medium: str) -> PaintSet:
    """Reads a list of paints.

    Args:
      path: Text file in UTF-8.
      medium: Name in `painting_jax.media`: watercolours are thinned on paper, pencils, pastels and
        markers are not mixed, all others are.

    Raises:
      UserError: If the file cannot be read, is larger than 100 kB, names no paint or too many, or
        has a line that names no known pigment or colour. The message names the line.
    """
    method = _method(medium)
    paints = []
    for number, line in enumerate(_lines(path), 1):
        line = line.strip()
        if not line or line.startswith("//"):
            continue
        try:
            paints.append(_paint(line, method))
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}") from None
        most = _MOST if method == NEAREST else _MOST_TO_MIX
        if len(paints) > most:
            raise UserError(f"{path} has more than {most} paints, which is the most for {medium}")
    if not paints:
        raise UserError(f"{path} names no paint: write one a line, such as 'Titanium white'")
    names = [paint.name.casefold() for paint in paints]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path} names {twice!r} twice")
    return PaintSet(os.path.basename(path), method, tuple(paints))


def _lines(path: str | os.PathLike) -> list[str]:
    # Opening a named pipe would wait for a writer.
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{path} is not a file with a list of paints")
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read the list of paints {path}: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise UserError(f"{path} has more than {_MAX_BYTES:,} bytes: it is no list of paints")
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file in UTF-8") from None


def _method(medium: str) -> str:
    if medium == "watercolor":
        return pigments.WASH
    usual = paint_sets.of_medium(medium)
    return usual.method if usual else NEAREST


def _paint(line: str, method: str) -> Paint:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        name, value = "", name
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"the name is longer than {_LONGEST_NAME} characters")
    if value.startswith("#"):
        return _of_colour(name, value, method)
    film = pigments.WASH if method == pigments.WASH else pigments.PAINT
    pigment = _pigment(value, film)
    return Paint(readable(name) or pigment.name, pigment.key)


def _of_colour(name: str, value: str, method: str) -> Paint:
    if not name:
        raise ValueError(f"the colour {value} needs a name before it, as in 'Old pink = {value}'")
    if method == pigments.WASH:
        raise ValueError("a watercolour needs a pigment: a colour does not say how thin it may be")
    try:
        return Paint(readable(name), colour=paint_sets.srgb(value.removeprefix("#")))
    except ValueError:
        raise ValueError(f"{value} is no colour: write # and six digits, as in #d98a95") from None


def _pigment(value: str, film: str) -> pigments.Pigment:
    known = [pigment for pigment in pigments.known().values() if pigment.film == film]
    for pigment in known:
        names = (pigment.name, pigment.index, pigment.key.removeprefix("wash_"))
        if value and value.casefold() in map(str.casefold, names):
            return pigment
    listed = ", ".join(sorted(pigment.index or pigment.name for pigment in known))
    raise ValueError(f"unknown pigment {value!r}: known are {listed}")
