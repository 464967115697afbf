"""`webui/jobs/child.py` as it is, around a command line that only pretends: python fake_child.py audit HABIT [FILE]."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location("child", HERE.parents[2] / "webui" / "jobs" / "child.py")
    child = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(child)
    child.GRACE = 1.0
    child._bind_checkout = lambda: sys.path.insert(0, str(HERE))
    child.COMMANDS = {"audit": "fake_cli", "train": "fake_cli"}
    sys.exit(child.main(sys.argv[1:]))
