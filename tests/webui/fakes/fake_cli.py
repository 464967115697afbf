"""A command line that writes events, hangs, dies or babbles, as its first argument says."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def emit(**event) -> None:
    print(json.dumps(event), flush=True)


def rows(event: str, done: int, stage: str = "Classifying") -> None:
    emit(event=event, stage=stage, rows=done, total=100, eta_seconds=1.5)


def report(verdict: str, code: int) -> None:
    emit(event="report", verdict=verdict, folder="/f", pages=[], exit_code=code, outcome="", summary="")


def good(*_) -> int:
    rows("stage", 0)
    rows("progress", 50)
    rows("end", 100)
    report("DRIFT", 1)
    return 1


def reported(folder: str, *_) -> int:
    rows("end", 100)
    emit(event="report", verdict="DRIFT", folder=folder, pages=[], exit_code=1, outcome="", summary="")
    return 1


def many(*_) -> int:
    rows("end", 100)
    rows("end", 100)
    emit(event="verdict", lora="a.safetensors", verdict="PASS", folder="/a")
    emit(event="verdict", lora="b.safetensors", verdict="INVALID", folder=None)
    emit(event="overview", verdict="INVALID", pages=[])
    return 4


def trained(*_) -> int:
    step = {"event": "step", "stage": "Training", "rows": 1, "total": 2, "eta_seconds": None, "steps": 2, "loss": 0.5}
    step |= {"smoothed_loss": 0.5, "terms": {}, "weights": {}, "rate": 1e-4, "validation": None, "gain": None}
    emit(**step, step=1, drift=None)
    emit(**step, step=2, drift=0.01)
    emit(event="trained", path="/l", embedding=None, steps=2, drift=0.01, learned=None, exit_code=0)
    return 0


def hang(mark: str, *_) -> int:
    rows("stage", 0)
    Path(mark).write_text(str(os.getpid()))
    time.sleep(600)
    return 0


def stubborn(mark: str, *_) -> int:
    """Take no notice of a wish, and neither does a process that is started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(mark).write_text(f"{os.getpid()} {other.pid}")
    time.sleep(600)
    return 0


def orphan(mark: str, *_) -> int:
    """End, and leave a process behind that holds the output open."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(mark).write_text(str(other.pid))
    return good()


def die(*_) -> int:
    rows("stage", 0)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def babble(*_) -> int:
    for line in (
        b"\xff\xfe\x00",
        b"{",
        b"[" * 100_000,
        b"null",
        b'{"event":"report"}',
        b'{"event":"report","verdict":',
    ):
        sys.stdout.buffer.write(line + b"\n")
    report("FINE", 0)  # a verdict that there is not
    emit(event="report", verdict="PASS", folder="/f", pages=[], exit_code=0, outcome="", summary="", more=1)
    sys.stdout.flush()
    return 0


def flood(*_) -> int:
    for _ in range(64):
        sys.stdout.buffer.write(b"x" * (1 << 20))  # one line of 64 MB
    sys.stdout.flush()
    return good()


def lie(*_) -> int:
    """Say PASS and end as nothing that passes would."""
    report("PASS", 0)
    return 70


def silent(*_) -> int:
    return 0


def fail(*_) -> int:
    emit(event="error", message="There is no base.", exit_code=2)
    return 2


def main(arguments: list[str]) -> int:
    try:
        return globals()[arguments[0]](*arguments[1:])
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
