"""What every command does around its work: libraries kept quiet, errors as one sentence and an exit code."""

import io
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.disk.places import has_home
from ..core.disk.refusals import described
from ..core.errors import OwfError, with_words
from ..core.foreign import is_out_of_memory, seen
from ..core.text import inert
from .output.events import Failure, emit
from .output.wording import option, worded

if TYPE_CHECKING:
    from pathlib import Path

    from ..core.disk.files import LeftOut

INTERRUPTED = 130
"""Exit code of a run that was stopped with Ctrl-C."""
CRASHED = 70
"""Exit code of a bug: none of the verdicts'."""
NOWHERE = os.path.join(os.devnull, "no home folder: set HF_HOME and TORCH_HOME")  # noqa: PTH118
"""Folder of the libraries' downloads where the user has no home: below a device there can be none."""
UNREAD = 141
"""Exit code of a run whose output nobody reads any more, as of one that SIGPIPE ends."""


_TALKATIVE = ("bitsandbytes", "torch.utils._pytree")
"""Loggers of notices to developers: what rounds weights gives them when it is imported, and other libraries do that."""


@dataclass
class Ending:
    """How a command ends."""

    code: int = 0
    """Exit code."""


@contextmanager
def guarded(fail: Callable[[str, int], int]) -> Iterator[Ending]:
    """Return a context in which a command sets its exit code; what is raised there sets that of `fail(sentence, code)`.

    Nothing leaves it: an exception that nobody expected is a bug, with a traceback and a code of its own.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer letters than a file name
    ending = Ending()
    try:
        yield ending
        sys.stdout.flush()
    except OwfError as error:
        ending.code = fail(worded(error), error.exit_code)
    except (BrokenPipeError, SystemExit):  # rich makes the first the second, with our code for DRIFT
        ending.code = UNREAD
    except KeyboardInterrupt:
        ending.code = fail("Interrupted. Run the same command with --resume to continue.", INTERRUPTED)
    except OSError as error:
        ending.code = fail(described(error), 2)
    except Exception as error:  # a crash must not exit with 1, which means DRIFT
        if is_out_of_memory(error):
            lack = f"There is not enough memory ({seen(error)}). Close other programs, or lower --batch; see --offload."
            ending.code = fail(lack, 2)
        else:
            traceback.print_exc()
            ending.code = fail(f"This is a bug, please report it: {error!r}", CRASHED)
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
        emit(Failure(message=message, exit_code=code))
    print(f"{program}: {message}", file=sys.stderr)
    return code


def say(program: str, text: str) -> None:
    """Print a sentence of a command to the error output: the other one may be JSON."""
    print(f"{program}: {text}", file=sys.stderr)


def say_left_out(program: str, left_out: Sequence["LeftOut"], folder: "Path") -> None:
    """Say what in a folder is not used, and why."""
    from ..core.disk.files import named

    if left_out:
        settings = list(dict.fromkeys(setting for item in left_out for setting in item.settings))
        text = f"Not used in {inert(str(folder), 300)}: {named(left_out, folder)}."
        say(program, with_words(text, settings, option))


def say_doubts(program: str, doubts: Sequence[str]) -> None:
    """Say what of the things in a folder may be meant otherwise."""
    for doubt in doubts:
        say(program, inert(doubt, 2000))


def quiet_libraries() -> None:
    """Keep the libraries' bars and notices out of ours; works before they are imported.

    Where there is no home, they would make a folder called "~" here for what they fetch: they get one that cannot be
    written, so that fetching fails and says where to, while reading local files works.
    """
    if not has_home() and not os.environ.get("XDG_CACHE_HOME"):
        os.environ.setdefault("HF_HOME", NOWHERE)
        os.environ.setdefault("TORCH_HOME", NOWHERE)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
