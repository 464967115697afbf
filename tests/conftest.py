"""Bind `owf` to this checkout where it is not installed.

Where it is, the installed copy is tested, as CI wants it: these files only after `pip install -e`.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

pytest_plugins = ("slow_first", "known_skips")  # in tests/support

if importlib.util.find_spec("owf") is None:
    spec = importlib.util.spec_from_file_location("owf", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["owf"] = module
    spec.loader.exec_module(module)
