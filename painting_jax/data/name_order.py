"""The order of files by their names, as a person would put them."""

import os
import re
import unicodedata
from collections.abc import Sequence

_Key = list[tuple[int, int, str]]

# "9.05.10 PM", as screenshots are named; the hour alone will do.
_TWELVE_HOURS = re.compile(r"(?<!\d)(\d{1,2})((?:[.:_-]\d{2}){0,2})\s*([ap])\.?\s?m\b\.?")
# A date that ends in its year.
_DATE = re.compile(r"(?<!\d)(\d{1,2})([.\-_/])(\d{1,2})\2((?:19|20)\d{2})(?!\d)")


def natural_order(name: str) -> _Key:
    """Sort key that puts "9.jpg" before "10.jpg", whatever the case of the letters.

    Times with AM and PM are put in the order of the day. A name comes before the same name with
    something behind it: "1.jpg" before "1 (2).jpg".
    """
    stem, suffix = os.path.splitext(name)
    # The name itself comes last, so that names that differ in case alone have one order, too.
    return [*_parts(_comparable(stem)), (-1, 0, suffix.casefold()), (-1, 0, name)]


def painted_order(names: Sequence[str]) -> tuple[list[str], bool]:
    """The order of pictures that were taken while something was painted.

    Names that differ in their numbers alone are in natural order. Otherwise the numbers decide
    before the words do ("step 3" comes before "final 4") if they tell the pictures apart.

    Args:
      names: Names of files in one folder.

    Returns:
      The names in order, and whether that order is a guess.
    """
    stems = {name: _comparable(os.path.splitext(name)[0]) for name in names}
    dates = [date.groups() for stem in stems.values() if (date := _DATE.search(stem))]
    is_guess = False
    if dates and len(dates) == len(stems):
        firsts, seconds = ([int(date[place]) for date in dates] for place in (0, 2))
        month_first = max(seconds) > 12
        is_guess = max(*firsts, *seconds) <= 12 and len(set(zip(firsts, seconds, strict=True))) > 1
        year_first = r"\4-\1-\3" if month_first else r"\4-\3-\1"
        stems = {name: _DATE.sub(year_first, stem) for name, stem in stems.items()}
    natural = sorted(names, key=lambda name: (*_parts(stems[name]), *natural_order(name)))
    if len({re.sub(r"\d+", "0", stem) for stem in stems.values()}) < 2:
        return natural, is_guess
    numbers = {name: [int(part) for part in re.findall(r"\d+", stems[name])] for name in names}
    counts = {len(each) for each in numbers.values()}
    if 0 in counts:
        return natural, True
    by_numbers = {
        name: tuple(each) if len(counts) == 1 else each[-1:] for name, each in numbers.items()
    }
    if len(set(map(tuple, by_numbers.values()))) < len(names):
        return natural, True
    return sorted(names, key=lambda name: by_numbers[name]), True


def _comparable(stem: str) -> str:
    """A name without its suffix, with letters of one case and hours from 0 to 23."""
    text = unicodedata.normalize("NFKC", stem).casefold()

    def in_24_hours(time: re.Match) -> str:
        hour = int(time[1])
        if not 1 <= hour <= 12:
            return time[0]
        return f"{hour % 12 + 12 * (time[3] == 'p'):02}{time[2]}"

    return _TWELVE_HOURS.sub(in_24_hours, text)


def _parts(text: str) -> _Key:
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", text)
        if part
    ]
