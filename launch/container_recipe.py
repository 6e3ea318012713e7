"""The instructions of launch/Dockerfile, read as far as this recipe needs."""

import dataclasses
import json
import pathlib
import re

PATH = pathlib.Path(__file__).with_name("Dockerfile")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A container recipe.

    Attributes:
      base: Image that it begins with.
      arguments: Build arguments with their defaults.
      environment: Environment variables.
      copies: Pairs of a path in the repository and a path in the image.
      commands: Commands of the shell, in their order.
      entrypoint: Program and arguments that the image starts.
    """

    base: str
    arguments: dict[str, str]
    environment: dict[str, str]
    copies: list[tuple[str, str]]
    commands: list[str]
    entrypoint: list[str]


def read() -> Recipe:
    """Reads the recipe.

    Raises:
      ValueError: If it has an instruction that is not known here.
    """
    text = re.sub(r"^#.*\n", "", PATH.read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    base, arguments, environment = "", {}, {}
    copies, commands, entrypoint = [], [], []
    for line in filter(None, lines):
        word, _, rest = line.partition(" ")
        match word:
            case "FROM":
                base = rest
            case "ARG":
                name, _, value = rest.partition("=")
                arguments[name] = value
            case "ENV":
                environment |= dict(pair.split("=", 1) for pair in rest.split())
            case "COPY":
                *sources, target = rest.split()
                copies += [(source, target) for source in sources]
            case "RUN":
                commands.append(rest)
            case "ENTRYPOINT":
                entrypoint = json.loads(rest)
            case "WORKDIR":
                pass
            case _:
                raise ValueError(f"{PATH}: unknown instruction {word}")
    return Recipe(base, arguments, environment, copies, commands, entrypoint)
