"""Puts samples into a store and prints the number of each, until it is killed: python put_forever.py STORE."""

import itertools
import runpy
import sys
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.core.disk.store import SampleStore

    store = SampleStore(Path(sys.argv[1]))
    for i in itertools.count():
        store.put("a", [(str(i), {"x": np.full(1000, i)})])
        print(i, flush=True)
