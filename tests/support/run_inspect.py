"""`owf-audit inspect` in a process of its own, slow enough that a reader of its output is gone: ARGUMENTS."""

import runpy
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.cli.inspect import main

    time.sleep(0.2)
    sys.exit(main(sys.argv[1:]))
