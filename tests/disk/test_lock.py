"""One run at a time in a folder: a second is refused, and a dead one holds nothing."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from owf.core.disk.lock import only_one
from owf.core.errors import UsageError

HOLD_LOCK = Path(__file__).parents[1] / "support" / "hold_lock.py"


def test_a_second_run_is_refused_until_the_first_ends(tmp_path):
    with only_one(tmp_path):
        for _ in range(2):
            with pytest.raises(UsageError, match="Another run"), only_one(tmp_path):
                pass
    with only_one(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_lets_go(tmp_path):
    with pytest.raises(ZeroDivisionError), only_one(tmp_path):
        _ = 1 / 0
    with only_one(tmp_path):
        pass


def test_a_killed_run_lets_go(tmp_path):
    process = subprocess.Popen([sys.executable, str(HOLD_LOCK), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="Another run"), only_one(tmp_path):
            pass
        process.kill()
    with only_one(tmp_path):
        pass


def test_folders_do_not_wait_for_each_other(tmp_path):
    (tmp_path / "b").mkdir()
    with only_one(tmp_path), only_one(tmp_path / "b"):
        pass


def test_a_folder_that_cannot_be_locked_is_a_usage_error(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(UsageError, match="output folder"), only_one(tmp_path):
        pass


def test_a_file_system_without_locks_is_a_usage_error_and_not_taken_for_locked(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")  # Windows locks files in another way

    def no_locks(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(UsageError, match=r"cannot be locked \(Function not implemented\)"), only_one(tmp_path):
        pass
