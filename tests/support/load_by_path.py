"""Load the package by path, under another name, as hosts do: python -I load_by_path.py FOLDER prints what is heavy."""

import importlib
import importlib.util
import json
import sys

if __name__ == "__main__":
    name, root = "some_host_module", sys.argv[1]
    spec = importlib.util.spec_from_file_location(name, root + "/__init__.py", submodule_search_locations=[root])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for part in (".core", ".core.verdict.report", ".core.verdict.verdict", ".cli.audit"):
        importlib.import_module(name + part)
    print(json.dumps(sorted(m for m in ("torch", "owf", "core", "diffusers") if m in sys.modules)))
