"""Runs in `python -I`: loads the pack by path as ComfyUI does, on the stub host, and runs a walk of tests/nodes/walks.

`sys.argv`: the pack's folder, the stub's folder, the walk's file, and its arguments as JSON. A walk imports from here
what it takes: NODES, IMPORTED, ARGUMENTS, pack, answer.
"""

import asyncio
import importlib
import importlib.util
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

NODES: dict[str, Any] = {}
"""Nodes by id."""
IMPORTED = 0
"""Modules that loading them imported."""
ARGUMENTS: list[Any] = []
"""What the test gave to the walk."""


def load() -> dict[str, Any]:
    """Load `<pack>/__init__.py` under its full path as module name, as ComfyUI does; return its nodes by id."""
    place = Path(sys.argv[1], "__init__.py")
    spec = importlib.util.spec_from_file_location(_name(), place, submodule_search_locations=[sys.argv[1]])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_name()] = module
    spec.loader.exec_module(module)
    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(module.comfy_entrypoint().get_node_list())}


def _name() -> str:
    return sys.argv[1].replace(".", "_x_")


def root() -> ModuleType:
    """Return the pack."""
    return sys.modules[_name()]


def pack(name: str) -> Any:
    """Return a module of the pack."""
    return importlib.import_module(f"{_name()}.{name}")


def answer(**values: object) -> None:
    """Give the test what the walk found."""
    print("ANSWER " + json.dumps(values))


if __name__ == "__main__":
    sys.modules["walk"] = sys.modules["__main__"]
    sys.path[:0] = [sys.argv[2], str(Path(sys.argv[3]).parent)]
    before = len(sys.modules)
    NODES, ARGUMENTS = load(), json.loads(sys.argv[4])
    IMPORTED = len(sys.modules) - before
    runpy.run_path(sys.argv[3])
