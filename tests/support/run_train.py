"""`owf-train` in a process of its own: python run_train.py ARGUMENTS."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.cli.train import main

    sys.exit(main(sys.argv[1:]))
