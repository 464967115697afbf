"""Runs in `python -I`: loads the pack by path as ComfyUI does, on the stub host, and offers a way to run nodes.

`sys.argv`: the pack's folder, the stub's folder, a script to run.
"""

import asyncio
import importlib
import importlib.util
import json
import sys
from pathlib import Path

PACK, STUB, CODE = sys.argv[1:4]
sys.path.insert(0, STUB)


def load():
    """Load `<PACK>/__init__.py` under its full path as module name, as ComfyUI does; return its nodes by id."""
    global ROOT
    ROOT = PACK.replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(ROOT, Path(PACK, "__init__.py"), submodule_search_locations=[PACK])
    module = importlib.util.module_from_spec(spec)
    sys.modules[ROOT] = module
    spec.loader.exec_module(module)
    extension = module.comfy_entrypoint()
    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(extension.get_node_list())}


def pack(name):
    return importlib.import_module(f"{ROOT}.{name}")


def answer(**values):
    print("ANSWER " + json.dumps(values))


BEFORE = len(sys.modules)
NODES = load()
IMPORTED = len(sys.modules) - BEFORE
exec(CODE)
