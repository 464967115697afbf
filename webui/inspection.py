"""What is in a LoRA file, as `owf-audit inspect` says it: in a process of its own, but no job, for it takes seconds."""

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

from . import host
from .host import Refusal
from .jobs.runner import CHILD, environment_of_child

_LONGEST = 120.0
"""Seconds: importing what is needed takes a few, and the largest files are read in less."""


_PATIENCE = 10.0
"""Seconds that one who asks waits for others."""
_ONE = threading.Lock()
"""Held while a process looks at a file: each takes some hundred megabytes, and a page may be asked by many."""


def inspect(name: str) -> Any:
    """Return what a LoRA of the host's list is, as plain data; raises Refusal."""
    path = host.of_list(name, host.loras(), "LoRA")
    python = host.settings().python
    if not python:
        raise Refusal(host.unprepared())
    if not _ONE.acquire(timeout=_PATIENCE):
        raise Refusal("Other files are being inspected. Try again in a moment.")
    try:
        return _looked_at(path, python)
    finally:
        _ONE.release()


def _looked_at(path: Path, python: str) -> Any:
    """Return what the command line says of a file."""
    # The child listens to its input, whose end means that the host is gone: it stays open until the answer is here.
    listened, held = os.pipe()
    try:
        child = subprocess.run(
            [python, "-I", str(CHILD), "audit", "inspect", "--json", str(path)],
            stdin=listened,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment_of_child(),
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(f"The file could not be inspected within {_LONGEST:g} seconds.") from None
    except OSError as error:
        raise Refusal(f"{python}: {error.strerror}.") from error
    finally:
        os.close(held)
        os.close(listened)
    try:
        return json.loads(child.stdout)[0]
    except (ValueError, LookupError, TypeError):
        raise Refusal(
            f"The file could not be inspected: the process ended with exit code {child.returncode}."
        ) from None
