"""Killed at any moment and called again, a run comes to the ledger of one that nobody disturbed."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from owf.core.ledger.ledger import Ledger

RUN = Path(__file__).parents[1] / "support" / "run_batch.py"


def rows(folder):
    with Ledger(folder / "out" / "ledger.sqlite", writes=False) as ledger:
        return sorted(
            (dataclasses.replace(row, attempts=1, path="") for row in ledger.rows()), key=lambda row: row.name
        )


def files(folder):
    (folder / "loras").mkdir(parents=True)
    for i in range(12):
        (folder / "loras" / f"{i:02}-{('a', 'slow', 'bad')[i % 3]}").write_text(str(i))
    return folder


def start(folder, size):
    return subprocess.Popen([sys.executable, str(RUN), str(folder), str(size)], stdout=subprocess.PIPE, text=True)


def finished(folder, size):
    with start(folder, size) as run:
        run.communicate()
    return run.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_a_driver_that_is_killed_again_and_again(tmp_path, size):
    whole, cut = files(tmp_path / "whole"), files(tmp_path / "cut")
    assert finished(whole, size)
    for after in (1, 2, 3):  # rows that are heard of before the kill
        with start(cut, size) as run:
            for _ in range(after):
                run.stdout.readline()
            run.send_signal(signal.SIGKILL)
    assert finished(cut, size)
    assert rows(cut) == rows(whole)
    assert len(rows(cut)) == 12
    assert not [path.name for path in (cut / "out").iterdir() if path.name.startswith((".", "ledger.sqlite-"))]


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_file_a_second_try(tmp_path):
    whole, cut = files(tmp_path / "whole"), files(tmp_path / "cut")
    assert finished(whole, 2)
    with start(cut, 2) as run:
        run.stdout.readline()
        pids = {int(line.split()[2]) for line in (cut / "out" / "log").read_text().splitlines()}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        run.communicate()
    assert run.returncode == 0
    assert rows(cut) == rows(whole)
