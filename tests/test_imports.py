"""Imports run one way: no folder of the package imports in a circle."""

import ast
import graphlib
import pathlib

import painting_jax

_PACKAGE = pathlib.Path(painting_jax.__file__).parent


def imported(file: pathlib.Path) -> set[str]:
    """First parts, below the package, of the modules that a file imports, at its top or later."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("painting_jax.")}


def test_no_folder_imports_in_a_circle():
    graph: dict[str, set[str]] = {}
    for file in _PACKAGE.rglob("*.py"):
        part = file.relative_to(_PACKAGE).with_suffix("").parts[0]
        graph.setdefault(part, set()).update(imported(file) - {part})
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError
    assert "metrics" in graph["evaluation"], "the graph is not empty"


def test_models_know_neither_files_nor_configs():
    known = {"models", "sharding", "media", "errors"}
    for file in (_PACKAGE / "models").rglob("*.py"):
        assert imported(file) <= known, file
