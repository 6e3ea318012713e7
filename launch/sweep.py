"""Sweeps: --sweep.optimizer.learning_rate=1e-4,3e-4 is one run for each value."""

import itertools
import re
from collections.abc import Sequence

from painting_jax.errors import UserError

PREFIX = "sweep."
# A comma that stands in no brackets: (1, 2, 2) is one value.
_BETWEEN_VALUES = re.compile(r",(?![^(\[]*[)\]])")
_MOST_RUNS = 100


def combinations(words: Sequence[str]) -> list[dict[str, str]]:
    """All combinations of the values of fields.

    Args:
      words: Arguments --sweep.FIELD=VALUE,VALUE or --sweep.FIELD VALUE,VALUE.

    Returns:
      Of each run, config field -> value. Without a sweep, one run without changes.

    Raises:
      UserError: If a field has no value or one value twice, or there are too many runs.
    """
    values: dict[str, list[str]] = {}
    joined = re.findall(r"--?sweep\.([^=\0]*)[=\0]?([^\0]*)(?:\0|$)", "\0".join(words))
    for field, text in joined:
        given = [value.strip() for value in _BETWEEN_VALUES.split(text)]
        if not field or "" in given:
            raise UserError(f"--{PREFIX}{field}={text}: write --{PREFIX}FIELD=VALUE,VALUE")
        if field in values:
            raise UserError(f"--{PREFIX}{field} is given twice: write all values in one")
        if len(set(given)) < len(given):
            raise UserError(f"--{PREFIX}{field}={text}: a value stands there twice")
        values[field] = given
    found = [
        dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())
    ]
    if len(found) > _MOST_RUNS:
        raise UserError(
            f"the sweep has {len(found)} runs: at most {_MOST_RUNS} are started at once"
        )
    return found
