"""What may lie where a file is expected and would be read without end, and a limit to the patience with it."""

import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60
"""Seconds after which a test has hung: what is refused at once takes less than one of them."""


def _socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(path.parent)  # addresses of sockets are short
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)


NO_FILES = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
}
"""What it is -> how it is made at a path."""


def put(kind, path):
    """Put something at a path in place of the file that may be there."""
    path.unlink(missing_ok=True)
    NO_FILES[kind](path)
    return path


@contextmanager
def in_time():
    """Return a context in which a wait without end becomes a failure."""

    def over(*_):
        raise AssertionError("it waits without end")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
