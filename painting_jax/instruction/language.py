"""The words of a tutorial in one language: templates in `words/`, one file a language."""

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from typing import Any

from painting_jax.errors import UserError

LANGUAGES = ("en", "de")
ANY = "any"


@dataclasses.dataclass(frozen=True)
class Words:
    """Templates by name.

    Attributes:
      code: Of the language, such as "en".
      table: The file's templates; names of groups lead to tables.
    """

    code: str
    table: Mapping[str, Any]

    @classmethod
    @functools.cache
    def of(cls, code: str) -> "Words":
        """The words of a language of `LANGUAGES`.

        Raises:
          UserError: If there is no such language.
        """
        if code not in LANGUAGES:
            raise UserError(f"--language={code} is not known: choose from {', '.join(LANGUAGES)}")
        file = importlib.resources.files("painting_jax.instruction") / "words" / f"{code}.json"
        return cls(code, json.loads(file.read_text("utf-8")))

    def say(self, *names: str, **facts: object) -> str:
        """A template with facts in it. The last of its names may be `ANY`'s instead."""
        found: Any = self.table
        for name in names:
            found = found[name] if name in found else found[ANY]
        return found.format(**facts)

    def has(self, *names: str) -> bool:
        """Whether there is a template of that name itself."""
        found: Any = self.table
        for name in names:
            if name not in found:
                return False
            found = found[name]
        return True

    def listed(self, items: Sequence[str]) -> str:
        """Items as in "a, b and c"."""
        if not items:
            return ""
        if len(items) == 1:
            return items[0]
        text = self.say("and", first=items[-2], last=items[-1])
        for item in reversed(items[:-2]):
            text = self.say("list", first=item, rest=text)
        return text

    def percent(self, share: float) -> str:
        """A share, 0..1, as a percentage: to 5 above 10, so that it does not look exact."""
        value = 100 * share
        value = 5 * round(value / 5) if value > 10 else round(value)
        return self.say("percent", value=value)
