"""What the documents name exists: paths, options, config fields, make targets, public names."""

import re

import pytest

from configs import demo
from tests import tiny

_DOCUMENTS = [tiny.ROOT / "README.md", tiny.ROOT / "CONTRIBUTING.md"]
_DOCUMENTS += sorted((tiny.ROOT / "docs").glob("*.md"))
_FOLDERS = (
    r"(?:painting_jax|benchmarks|configs|docs|launch|soak|tests|tfds_builders)/[\w./-]*"
    r"|[\w-]+\.toml"
)
# Options of ruff, pip, tensorboard, docker and every verb.
_FOREIGN = {"check", "help", "logdir", "no-deps", "build-arg", "file", "tag"}

documents = pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: path.name)


def _spans(text: str) -> list[str]:
    """Code in the text: in backticks or fenced."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return fenced + re.findall(r"`([^`]+)`", rest)


@documents
def test_paths_exist(path):
    text = path.read_text("utf-8")
    named = [tiny.ROOT / span for span in _spans(text) if re.fullmatch(_FOLDERS, span)]
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    named += [path.parent / link for link in links]
    missing = [str(name.relative_to(tiny.ROOT)) for name in named if not name.exists()]
    assert not missing


@documents
def test_options_exist(path):
    sources = [*(tiny.ROOT / "painting_jax").glob("*.py"), *(tiny.ROOT / "launch").glob("*.py")]
    sources += (tiny.ROOT / "benchmarks").glob("*.py")
    sources += (tiny.ROOT / "painting_jax").glob("*/__main__.py")
    defined = set(_FOREIGN)
    for source in sources:
        text = source.read_text("utf-8")
        defined |= set(re.findall(r"flags\.DEFINE_\w+\(\s*\"(\w+)\"", text))
        defined |= {f"no{name}" for name in re.findall(r"DEFINE_bool\(\s*\"(\w+)\"", text)}
    code = "\n".join(_spans(path.read_text("utf-8")))
    named = set(re.findall(r"(?<![\w-])--([a-z][\w-]*)(?![\w.-])", code))
    assert named - defined == set()


@documents
def test_config_fields_exist(path):
    known = demo.get_config()
    for name in re.findall(r"\bconfig\.([a-z][\w.]*)", "\n".join(_spans(path.read_text("utf-8")))):
        if name not in ("json", "md", "py"):
            field = known
            for part in name.rstrip(".").split("."):
                assert part in field, name
                field = field[part]


@documents
def test_make_targets_exist(path):
    targets = set(re.findall(r"^([\w-]+):", (tiny.ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(_spans(path.read_text("utf-8")))
    assert set(re.findall(r"^make ([\w-]+)", code, re.MULTILINE)) <= targets


def test_names_to_extend_are_where_contributing_says():
    text = (tiny.ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`([A-Z_]+)` of `([\w./]+)`", text)
    assert len(named) >= 6
    for name, path in named:
        assert re.search(rf"^{name}\b.* = ", (tiny.ROOT / path).read_text("utf-8"), re.MULTILINE)
