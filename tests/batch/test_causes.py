"""Whose an error is: only what is wrong with a file itself is kept against it."""

import errno
import sqlite3
from pathlib import Path

import pytest
from owf.core.batch.causes import beside_the_file
from owf.core.batch.task import Task
from owf.core.batch.worker import attempt
from owf.core.errors import AdapterError, UsageError
from owf.core.foreign import foreign

LORA = Path("/loras/a.safetensors")


def system(number, place=None):
    return OSError(number, "said", place)


def behind(cause, kind=AdapterError):
    """Return an error of ours as readers raise it for another one."""
    error = kind("the file cannot be read")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (AdapterError("it is no LoRA"), None),
        (behind(ValueError("bad header")), None),
        (behind(system(errno.EINVAL)), None),  # an offset that the file claims
        (behind(OSError("it is no file, but a pipe or device")), None),
        (behind(system(errno.EIO)), ("failed", False)),
        (behind(behind(system(errno.ESTALE, str(LORA)))), ("failed", False)),
        (behind(system(errno.EACCES, str(LORA / "unet" / "x"))), ("failed", False)),
        (behind(system(errno.EACCES, "/out/report.json")), ("failed", True)),
        (behind(system(errno.EMFILE, str(LORA))), ("failed", True)),
        (system(errno.ENOSPC), ("failed", True)),
        (behind(sqlite3.OperationalError("database or disk is full"), UsageError), ("failed", True)),
        (behind(sqlite3.OperationalError("database is locked"), UsageError), ("failed", False)),
        (behind(MemoryError()), ("memory", False)),
    ],
)
def test_what_lies_beside_the_file_is_told_from_what_is_in_it(error, ended):
    outcome = beside_the_file(error, LORA, "why")
    assert (outcome and (outcome.status, outcome.fatal)) == ended


def test_a_reader_that_words_every_error_hides_none():
    with pytest.raises(AdapterError) as caught, foreign("the pickle cannot be read", kind=AdapterError):
        raise system(errno.EIO)
    outcome = beside_the_file(caught.value, LORA, "why")
    assert outcome is not None and outcome.status == "failed"


@pytest.mark.parametrize(
    ("error", "status", "fatal"),
    [(system(errno.ENOENT, str(LORA)), "failed", False), (system(errno.ENOSPC), "failed", True),
     (OSError("it has more than 9 bytes"), "failed", False), (KeyError("x"), "crashed", False)],
)  # fmt: skip
def test_one_file_that_the_disk_does_not_give_ends_no_run(error, status, fatal, capsys):
    class Raises:
        def audit(self, task):
            raise error

        look = audit

    outcome = attempt(Raises(), Task(LORA, "a"))
    assert (outcome.status, outcome.fatal) == (status, fatal)
