"""What a program imports, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path


def output_and_imports(script: Path, *arguments: str) -> tuple[str, set[str]]:
    """Return what a script prints, and the names of all modules that were imported until it ended."""
    command = [sys.executable, "-X", "importtime", str(script), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return ended.stdout, {line.rpartition("|")[2].strip() for line in lines[1:]}  # the first is the table's head


def heavy_imports(*what: str) -> list[str]:
    """Return the heavy modules that are there after ours were imported and called; see `import_and_call.py`."""
    command = [sys.executable, str(Path(__file__).with_name("import_and_call.py")), *what]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
