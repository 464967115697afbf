"""Load a pack as ComfyUI's nodes.py did before it knew comfy_entrypoint: FOLDER VERSION-OF-COMFYUI."""

import importlib.util
import json
import sys
import types

if __name__ == "__main__":
    pack, version = sys.argv[1:]
    sys.modules["folder_paths"] = types.ModuleType("folder_paths")
    if version:
        comfyui = types.ModuleType("comfyui_version")
        setattr(comfyui, "__version__", version)  # noqa: B010 - a module has no such field to a type checker
        sys.modules["comfyui_version"] = comfyui
    said = []
    try:
        name = pack.replace(".", "_x_")
        spec = importlib.util.spec_from_file_location(name, pack + "/__init__.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        if hasattr(module, "WEB_DIRECTORY") and module.WEB_DIRECTORY is not None:
            said.append("web")
        if hasattr(module, "NODE_CLASS_MAPPINGS") and module.NODE_CLASS_MAPPINGS is not None:
            said.append("loaded")
        else:
            said.append("lack of NODE_CLASS_MAPPINGS")
    except Exception as error:
        said.append(f"Cannot import: {error}")
    print(json.dumps([said, sorted(m for m in ("torch", "numpy", "jinja2") if m in sys.modules)]))
