"""OWF in AUTOMATIC1111, Forge and Forge Neo: binds this checkout as the package `owf` and registers it.

Hosts run this file under a name that is in no `sys.modules`, with other extensions' folders on the path: everything is
found by where this file lies.
"""

import importlib
import importlib.util
import sys
from pathlib import Path


def _bind_checkout() -> None:
    root = Path(__file__).resolve().parent.parent
    known = getattr(sys.modules.get("owf"), "__file__", None)
    if known is not None and Path(known).resolve() == root / "__init__.py":
        return  # "Reload UI": a job may be running
    for name in [name for name in sys.modules if name == "owf" or name.startswith("owf.")]:
        del sys.modules[name]  # of somebody else
    spec = importlib.util.spec_from_file_location("owf", root / "__init__.py", submodule_search_locations=[str(root)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["owf"] = module
    spec.loader.exec_module(module)


_bind_checkout()
importlib.import_module("owf.webui.register").register()
