"""Run the audit from a checkout that is not installed: `python <folder> my_lora.safetensors`."""

import importlib.util
import sys
from pathlib import Path


def _bind_checkout() -> None:
    """Import the folder this file lives in as the package `owf`, whatever the folder is called."""
    root = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location("owf", root / "__init__.py", submodule_search_locations=[str(root)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["owf"] = module
    # Python puts this folder first where modules are searched for; its `core`, `nodes` and `tests` are no modules.
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != root]
    spec.loader.exec_module(module)


if __name__ == "__main__":
    if "owf" not in sys.modules:
        _bind_checkout()
    audit = importlib.import_module("owf.cli.audit")
    sys.exit(audit.main())
