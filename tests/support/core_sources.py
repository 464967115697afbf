"""The source of core as syntax trees, for claims about what it says."""

import ast
from collections.abc import Iterator
from pathlib import Path

from owf import core
from owf.core.errors import OFF, Setting


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module of core and its tree."""
    for path in sorted(Path(next(iter(core.__path__))).rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def literals(tree: ast.Module) -> Iterator[str]:
    """Yield the texts in a module, parts of f-strings too, but no docstrings."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def named_settings() -> set[Setting]:
    """Return every setting that core names by a literal."""
    found = set()
    for _, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Setting":
                values = [OFF if getattr(a, "id", "") == "OFF" else getattr(a, "value", None) for a in node.args]
                if isinstance(values[0], str):
                    found.add(Setting(*(value if isinstance(value, str) else "" for value in values)))
    return found
