"""Run a command of this checkout in a process of its own: `python child.py audit|train|prepare ARGUMENTS`.

The host holds the other end of our standard input. A line "stop" there, or its end, which comes when the host is gone
however it went, ends the command as Ctrl-C would, so that a training saves its checkpoint; what has not ended after a
while is killed, and with it whatever it started.
"""

import contextlib
import importlib
import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path

GRACE = 20.0
"""Seconds between the wish and the kill: a step of a large training and its checkpoint fit in."""
STOP = b"stop\n"
INTERRUPTED = 130
"""Exit code of a command that was asked to end, as the command line has it."""
COMMANDS = {"audit": "owf.cli.audit", "train": "owf.cli.train", "prepare": "owf.webui.environment"}
"""Word -> module whose `main` it means."""


def main(arguments: list[str]) -> int:
    """Return the exit code of a command."""
    # A host that runs in the background may ignore Ctrl-C, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=_end_with, args=(sys.stdin.fileno(),), daemon=True).start()
        _bind_checkout()
        return importlib.import_module(COMMANDS[arguments[0]]).main(arguments[1:])
    except KeyboardInterrupt:  # before the command began, or behind its end: no traceback for a wish
        return INTERRUPTED


def _bind_checkout() -> None:
    """Import the checkout that this file lies in as the package `owf`: an installed one may be of another version."""
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("owf", root / "__init__.py", submodule_search_locations=[str(root)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["owf"] = module
    spec.loader.exec_module(module)


def _end_with(wishes: int) -> None:
    """End this process once the host asks for it, or is gone."""
    heard = b""
    with contextlib.suppress(OSError):
        # Of the descriptor: a thread that waits in a buffered file aborts the interpreter's own end.
        while STOP not in heard and (more := os.read(wishes, 64)):
            heard = heard[-len(STOP) :] + more
    if hasattr(os, "killpg"):
        os.kill(os.getpid(), signal.SIGINT)  # to the process: its main thread wakes up, wherever it waits
    else:
        signal.raise_signal(signal.SIGINT)
    threading.Event().wait(GRACE)
    kill_tree(os.getpid())


def kill_tree(pid: int) -> None:
    """Kill a process that leads a group, and all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    else:
        import subprocess

        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
