"""Runs of `owf-audit` for `bench/batch.py`: watched while they go on, killed, and compared."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import checkout  # noqa: F401 - binds owf
from owf.core.demo import DEMO_BASE
from owf.core.ledger.ledger import NAME, Ledger
from owf.core.ledger.row import Row

ROOT = Path(__file__).resolve().parents[2]
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
"""Bytes of a page and ticks of a second, in which /proc counts; usual ones where nobody says."""
_LOOK = 1.0
"""Seconds between two looks at a run: rows take several."""


def command(*arguments: object) -> list[str]:
    """Return the command line of `owf-audit` of this checkout."""
    return [sys.executable, str(ROOT / "__main__.py"), *map(str, arguments)]


def audit(loras: Path, out: Path, cache: Path, *more: object) -> list[str]:
    """Return a run over a folder on the demo base."""
    common = ("--base", DEMO_BASE, "--cache", cache, "--offline", "--progress", "none")
    return command(loras, "--out", out, *common, *more)


@dataclass
class Watched:
    """What was seen of a run."""

    code: int = 0
    wall: float = 0.0
    driver: float = 0.0
    """Seconds of processor time of the driver."""
    memory: list[tuple[int, int]] = field(default_factory=list)
    """(rows, bytes in memory of the largest worker), at each look."""


def watched(arguments: Sequence[str], out: Path) -> Watched:
    """Run a command to its end and return what was seen of it; memory and processor time on Linux only."""
    seen, start = Watched(), time.monotonic()
    with subprocess.Popen(arguments) as driver:
        while driver.poll() is None:
            time.sleep(_LOOK)
            seen.driver = max(seen.driver, processor_time(driver.pid))
            sizes = [size for pid in children(driver.pid) if (size := resident(pid))]
            if sizes:
                seen.memory.append((count(out), max(sizes)))
    seen.code, seen.wall = driver.returncode, time.monotonic() - start
    return seen


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def resident(pid: int) -> int:
    """Return the bytes of a process in memory; 0 where it is gone."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def processor_time(pid: int) -> float:
    """Return the seconds of processor time of a process alone; 0 where it is gone."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


def rows(out: Path) -> list[Row]:
    """Return the rows of a run's ledger; none where there is none yet."""
    if not (out / NAME).exists():
        return []
    with Ledger(out / NAME, writes=False) as ledger:
        return list(ledger.rows())


def count(out: Path) -> int:
    """Return how many rows a run has so far."""
    with contextlib.suppress(Exception):  # it is being written
        return len(rows(out))
    return 0


def same(row: Row) -> Row:
    """Return a row without what may differ between two runs of the same: when, how long, which try, and where."""
    return dataclasses.replace(row, started="", seconds=0.0, attempts=1, path="", thumbnail=b"")


def reports(out: Path) -> dict[str, object]:
    """Return every report of a run by its folder, without when it ran and how long."""
    found = {path.parent.name: json.loads(path.read_text()) for path in sorted(out.glob("*/report.json"))}
    return {name: {key: value for key, value in data.items() if key != "timing"} for name, data in found.items()}


def orphans(out: Path) -> list[str]:
    """Return what a run left that is of no use: unfinished files, samples of finished audits, locks, logs of SQLite."""
    patterns = ("**/.*.partial", "**/.lock", ".run.lock", "*/samples-*", "*.sqlite-*")
    return sorted(str(path.relative_to(out)) for pattern in patterns for path in out.glob(pattern))


def killed(arguments: Sequence[str], moments: Sequence[tuple[float, str]]) -> Iterator[str]:
    """Start a run again and again, and kill -9 its driver or a worker after some seconds; yield what was killed."""
    for seconds, whom in moments:
        with subprocess.Popen(arguments) as driver:
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(seconds)
                yield "nothing: it was done before"
                continue
            victims = children(driver.pid) if whom == "worker" else [driver.pid]
            for pid in victims[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if whom == "worker":
                driver.send_signal(signal.SIGTERM)  # the next moment is another call's
            driver.wait()
        yield whom if victims else "nothing: no worker was there"
