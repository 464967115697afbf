"""Peak memory and work of reading files, each in a fork of its own: `python peak.py FILE...` prints JSON lines.

The first line is a yardstick for the work: parsing the longest JSON text that is parsed at all.

Not a test: `test_memory.py` runs it, because the peak of a process never goes down again.
"""

import contextlib
import importlib.util
import io
import json
import os
import resource
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]


def module(name, path):
    """Return the module in a file that is in no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def peak():
    """Return the largest resident size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def handle(path, components):
    """Return what becomes of a file that is inspected, matched and applied."""
    from owf.cli.inspect import main
    from owf.core.adapter import match, prepare, read_adapter
    from owf.core.errors import AdapterError

    with contextlib.redirect_stdout(io.StringIO()):
        main(["--allow-pickle", str(path)])
    try:
        adapter = read_adapter(path, allow_pickle=True)
        if match(adapter, components).problems:
            return "problem"
        prepare(components, adapter).on()
    except AdapterError:
        return "refused"
    return "read"


def report(path, harmless, components):
    """Print what a file costs beyond a harmless one, which has brought in all code and buffers."""
    handle(harmless, components)
    before, start = peak(), time.process_time()
    outcome = handle(path, components)
    costs = {"work": time.process_time() - start, "growth": peak() - before}
    print(json.dumps({"file": str(path), "outcome": outcome, **costs}), flush=True)


def yardstick():
    """Return the processor time of parsing as much JSON as is parsed at all, all of it lists."""
    from owf.core.adapter.naming.stated.metadata import MAX_JSON

    text = "[" + "[]," * (MAX_JSON // 3 - 1) + "[]]"
    start = time.process_time()
    json.loads(text)
    return time.process_time() - start


def run(harmless, paths):
    """Handle every file in a fork."""
    module("binding", TESTS / "conftest.py")
    components = module("bases", TESTS / "adapter" / "conftest.py").build_base().components
    handle(harmless, components)
    print(json.dumps({"yardstick": yardstick()}), flush=True)
    for path in paths:
        child = os.fork()
        if child == 0:
            report(path, harmless, components)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            print(json.dumps({"file": str(path), "outcome": "crashed"}), flush=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
