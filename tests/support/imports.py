"""What a program imports, in a process of its own."""

import subprocess
import sys
from pathlib import Path


def output_and_imports(script: Path, *arguments: str) -> tuple[str, set[str]]:
    """Return what a script prints, and the names of all modules that were imported until it ended."""
    command = [sys.executable, "-X", "importtime", str(script), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return ended.stdout, {line.rpartition("|")[2].strip() for line in lines[1:]}  # the first is the table's head
