"""Writes what people read of a data set into its folder.

index.html    the page: what was kept and left out, and each recording beside its process
README.md     the card, for whoever gets the data set
"""

import pathlib

from painting_jax.data.contents import Contents
from painting_jax.report.dataset_card import card
from painting_jax.report.dataset_page import page

PAGE, CARD = "index.html", "README.md"


def write(folder: pathlib.Path, contents: Contents, *, command: str = "") -> None:
    """Writes both files.

    Args:
      folder: Folder of the data set in the making, which takes its place when it is complete.
      contents: What is in it.
      command: What made it.
    """
    (folder / PAGE).write_text(page(contents, command), encoding="utf-8")
    (folder / CARD).write_text(card(contents, command), encoding="utf-8")
