"""The exception for mistakes of the user, and conversion of any text to valid UTF-8."""


class UserError(Exception):
    """A mistake of the user. The message is one line that states the mistake and how to fix it.

    Programs print it to standard error without a traceback, and exit with status 2.
    """

    def __init__(self, message: str):
        # The message may be written to a report, in UTF-8.
        super().__init__(readable(message))


def readable(text: str) -> str:
    """The text with invalid characters escaped: file names and JSON may hold lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
