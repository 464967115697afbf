"""Which heavy modules are there after some of ours were imported and called: python import_and_call.py WHAT...

WHAT is a module, or `module:function`, which is called, with the JSON value behind a second colon if there is one.
What they print goes to the error output; the output is a JSON list.
"""

import contextlib
import importlib
import json
import runpy
import sys
from pathlib import Path

HEAVY = {"torch", "diffusers", "transformers", "safetensors", "jinja2"}

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    with contextlib.redirect_stdout(sys.stderr):
        for what in sys.argv[1:]:
            module, _, call = what.partition(":")
            imported = importlib.import_module(module)
            if call:
                function, _, value = call.partition(":")
                getattr(imported, function)(*([json.loads(value)] if value else []))
    print(json.dumps(sorted(HEAVY & set(sys.modules))))
