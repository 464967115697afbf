"""Holds a folder's lock, says so, and waits to be killed: python hold_lock.py FOLDER."""

import runpy
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.core.disk.lock import only_one

    with only_one(Path(sys.argv[1])):
        print("held", flush=True)
        time.sleep(60)
