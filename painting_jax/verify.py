"""Says whether pictures and videos were made by this package, when, and with what.

  python -m painting_jax.verify FILE...

verify prints one line for each file. The line first says what the invisible mark in the frames
holds: the day (UTC), the model (six hexadecimal digits computed from its name), and the medium; or
that no mark was found. Then it says what the metadata state, if they are still there: the name of
the model and the mixture of media.

The mark survives re-encoding, cropping and scaling within limits (docs/mark.md). It is no proof:
people who know how can remove it, or put it into any picture. A missing mark proves nothing either.

The exit status is 0 if every file could be read, whatever was found, else 2.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import sys

from painting_jax import cli, remote_paths
from painting_jax.errors import UserError, readable
from painting_jax.provenance.verification import verify


def main(files: list[str]) -> None:
    """Prints a line for each file."""
    if not files:
        raise UserError("name pictures or videos: python -m painting_jax.verify FILE...")
    for file in files:
        if not file:
            raise UserError("the name of a file is empty: say what it names, or leave it out")
        remote_paths.check_readable("FILE", file)
    unread = []
    for file in files:
        try:
            print(f"{readable(file)}: {verify(file)}", flush=True)
        except UserError as error:
            unread.append(error)
    # The others are printed even if one cannot be read.
    for error in unread[:-1]:
        print(f"error: {error}", file=sys.stderr)
    if unread:
        raise unread[-1]


if __name__ == "__main__":
    cli.run(main)
