"""Load the package at argv[1] by its path, under another name, and print how many records each registry finds."""

import importlib
import importlib.util
import sys

root, *registries = sys.argv[1:]
spec = importlib.util.spec_from_file_location("host_module", f"{root}/__init__.py", submodule_search_locations=[root])
assert spec is not None and spec.loader is not None
sys.modules["host_module"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for registry in registries:
    place, _, function = registry.partition(":")
    print(registry, len(getattr(importlib.import_module(f"host_module.core.{place}"), function)()))
print(sorted({"torch", "owf", "core"} & set(sys.modules)))
