"""Opens a store, says so, waits for a line, puts a sample, says so: python hold_store.py STORE."""

import runpy
import sys
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.core.disk.stores import open_cached

    with open_cached(Path(sys.argv[1])) as store:
        print("open", flush=True)
        sys.stdin.readline()
        store.put("b", [("1", {"x": np.zeros(3)})])
        print("put", flush=True)
