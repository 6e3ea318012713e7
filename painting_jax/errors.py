"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """A mistake of the user's: one line that says what is wrong and what would be right.

    The verbs print it to standard error without a traceback and exit with status 2.
    """
