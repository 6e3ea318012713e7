"""The one exception that a user's mistake raises, and texts that can be told and written down."""


class UserError(Exception):
    """A mistake of the user's: one line that says what is wrong and what would be right.

    The verbs print it to standard error without a traceback and exit with status 2.
    """

    def __init__(self, message: str):
        # It may be written into a report.
        super().__init__(readable(message))


def readable(text: str) -> str:
    """A text that can be written down: names on a disk need not be Unicode, nor what JSON says."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
