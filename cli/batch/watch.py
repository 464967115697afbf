"""`owf-audit watch FOLDER`: audits what appears in a folder, such as one of downloads, at low priority."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...core.adapter.identity import content_mark
from ...core.errors import UsageError

Seen = dict[Path, str]
"""LoRAs, each with what changes when one of its files does: a folder's own time stays while a file in it grows."""
SIGNALLED = 128
"""Exit codes above it say which signal ended a run."""
_NICE = 10
"""Added to the priority number of Unix: other programs go first, and an idle machine still works at full speed."""


def watch(look: Callable[[], Sequence[Path]], audit: Callable[[Sequence[Path]], int], every: float) -> int:
    """Audit the files that `look` finds whenever they have changed, and have been as they are for one look.

    A file that is still being written is waited for, and keeps no other waiting. What a run has already is known from
    its ledger. Returns the exit code of a run that a signal stopped; otherwise it goes on.
    """
    with contextlib.suppress(AttributeError, OSError):  # not on Windows
        os.nice(_NICE)
    done: Seen = {}
    before: Seen = {}
    while True:
        now = _state(look())
        resting = {file: state for file, state in now.items() if before.get(file) == state}
        if resting.items() - done.items():
            code = audit(list(resting))
            if code > SIGNALLED:
                return code
            done = {**done, **resting}
        before = now
        time.sleep(every)


def _state(files: Sequence[Path]) -> Seen:
    state: Seen = {}
    for file in files:
        with contextlib.suppress(OSError, UsageError):  # gone since it was found
            state[file] = content_mark(file)
    return state
