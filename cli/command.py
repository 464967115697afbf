"""What every command does around its work: libraries kept quiet, errors as one sentence and an exit code."""

import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.errors import OwfError
from ..core.text import inert

if TYPE_CHECKING:
    from pathlib import Path

    from ..core.files import LeftOut

INTERRUPTED = 130
"""Exit code of a run that was stopped with Ctrl-C."""
CRASHED = 70
"""Exit code of a bug: none of the verdicts'."""
UNREAD = 141
"""Exit code of a run whose output nobody reads any more, as of one that SIGPIPE ends."""


def guarded(work: Callable[[], int], fail: Callable[[str, int], int]) -> int:
    """Return the exit code of `work`, or of `fail(sentence, code)` where it raises anything."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer letters than a file name
    try:
        code = work()
        sys.stdout.flush()
        return code
    except OwfError as error:
        return fail(str(error), error.exit_code)
    except (BrokenPipeError, SystemExit):  # rich makes the first the second, with our code for DRIFT
        return UNREAD
    except KeyboardInterrupt:
        return fail("Interrupted. Run the same command with --resume to continue.", INTERRUPTED)
    except OSError as error:
        return fail(f"{error}. Check the path, its permissions and the free disk space.", 2)
    except Exception as error:  # a crash must not exit with 1, which means DRIFT
        traceback.print_exc()
        return fail(f"This is a bug, please report it: {error!r}", CRASHED)
    finally:
        _drop_unwritable_output()


def _drop_unwritable_output() -> None:
    """Keep Python from complaining at its end about a full or closed output."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_failure(program: str, progress: str, message: str, code: int) -> int:
    """Print an error for people and, where progress is "json", for hosts; return its exit code."""
    message = inert(message, 2000)
    if progress == "json":
        print(json.dumps({"event": "error", "message": message, "exit_code": code}), flush=True)
    print(f"{program}: {message}", file=sys.stderr)
    return code


def say_left_out(program: str, left_out: Sequence["LeftOut"], folder: "Path") -> None:
    """Print what in a folder is not used, and why, to the error output: the other one may be JSON."""
    from ..core.files import named

    if left_out:
        print(f"{program}: Not used in {inert(str(folder), 300)}: {named(left_out, folder)}.", file=sys.stderr)


def quiet_libraries() -> None:
    """Keep the libraries' bars and notices out of ours; works before they are imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
