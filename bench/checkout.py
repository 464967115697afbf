"""Importing this binds `owf` to the checkout that these files lie in, unless it is installed."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if importlib.util.find_spec("owf") is None:
    spec = importlib.util.spec_from_file_location("owf", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["owf"] = module
    spec.loader.exec_module(module)
