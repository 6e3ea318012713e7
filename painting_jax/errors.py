"""The exception for mistakes of the user, and conversion of any text to a line of valid UTF-8."""

import re

# Longer runs without a space (file names, values, tensor names) are cut in the middle.
_LONGEST_WORD = 300
# Longer messages are cut in the middle: beyond this, a line is no line.
_LONGEST_LINE = 1000
_LEFT_OUT = " [...] "
# C0, delete, C1, the separators of lines and paragraphs, and what turns the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_CONTINUED = re.compile(r"\n[ \t]+")


class UserError(Exception):
    """A mistake of the user. The message is one line that states the mistake and how to fix it.

    Programs print it to standard error without a traceback, and exit with status 2.
    """

    def __init__(self, message: str):
        # The message may be written to a report, in UTF-8. A line that is indented goes on.
        super().__init__(shortened(one_line(_CONTINUED.sub(" ", message))))


def readable(text: str) -> str:
    """The text with invalid characters escaped: file names and JSON may hold lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str) -> str:
    """As `readable`, with line breaks and other control characters escaped.

    File names may hold them all: they would begin a line of their own, or move a terminal's cursor.
    """
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], readable(text))


def shortened(text: str) -> str:
    """The text with long words, and then a long rest, cut in the middle.

    Messages quote what files and flags hold, which can be megabytes. The beginning says what is
    wrong and the end what would be right, so both are kept.
    """
    text = re.sub(rf"\S{{{_LONGEST_WORD + 1},}}", lambda word: _cut(word[0], _LONGEST_WORD), text)
    return _cut(text, _LONGEST_LINE)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    kept = longest - len(_LEFT_OUT)
    return text[: kept - kept // 4] + _LEFT_OUT + text[-(kept // 4) :]
