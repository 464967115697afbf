"""Returns what the pack offers to a new ComfyUI, and to a program that is none."""

import sys

from walk import answer, root


def asked():
    return [hasattr(root(), name) for name in ("NODE_CLASS_MAPPINGS", "anything", "comfy_entrypoint")]


new = asked()
for name in [name for name in sys.modules if name.split(".")[0] in ("comfy_api", "folder_paths")]:
    del sys.modules[name]
sys.modules["comfy_api"] = None
answer(new=new, elsewhere=asked())
