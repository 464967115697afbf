"""Workers: what a file does to its own process is one outcome, and the others go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from owf.core.batch import processes
from owf.core.batch.processes import LocalWorkers
from owf.core.batch.task import DIED, STOPPED, Listener, Task
from owf.core.errors import UsageError
from owf.core.progress import BASE, LORA

FAKE = Path(__file__).parents[1] / "support" / "fake_worker.py"


class Heard(Listener):
    def __init__(self):
        self.rows = 0

    def hear(self, call, arguments):
        self.rows += arguments[0] if call == "advance" else 0


def workers(out, size=1, time_limit=None):
    return LocalWorkers([sys.executable, str(FAKE), str(out)], size, time_limit)


def tasks(*names):
    return [Task(Path(f"{name}.safetensors"), name) for name in names]


def ended(pool, todo, listener=None):
    left = list(todo)
    return {
        task.name: outcome for task, outcome in pool.run(lambda: left.pop(0) if left else None, listener or Heard())
    }


def pids(out):
    return {line.split()[0]: int(line.split()[2]) for line in (out / "log").read_text().splitlines()}


def test_one_process_audits_one_file_after_the_other_and_is_heard(tmp_path):
    heard = Heard()
    found = ended(workers(tmp_path), tasks("a", "print", "bad"), heard)
    assert {name: o.status for name, o in found.items()} == {"a": "complete", "print": "complete", "bad": "refused"}
    assert found["a"].report is not None and found["a"].report.verdict.decision == "DRIFT"
    assert len(set(pids(tmp_path).values())) == 1
    assert heard.rows == 15


def test_what_ends_a_worker_is_that_files_outcome_and_the_rest_go_on(tmp_path):
    found = ended(workers(tmp_path), tasks("die-always", "eat", "bug", "good"))
    assert {name: o.status for name, o in found.items()} == {
        "die-always": DIED, "eat": "memory", "bug": "crashed", "good": "complete",
    }  # fmt: skip
    assert "SIGKILL" in found["die-always"].reason
    assert "nobody expected this" in found["bug"].reason
    ran = pids(tmp_path)
    assert len({ran[name] for name in ("die-always", "eat", "good")}) == 3  # a new process after each
    assert ran["bug"] == ran["good"]


def test_a_file_that_hangs_ends_with_its_process(tmp_path):
    found = ended(workers(tmp_path, time_limit=1), tasks("hang"))
    assert (found["hang"].status, "1 s" in found["hang"].reason) == ("timeout", True)
    (pid,) = pids(tmp_path).values()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_bases_time_is_no_files(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    worker = processes._Clock()
    worker.begin()
    for subject, seconds in ((BASE, 7.0), (LORA, 500.0), (LORA, 2.0), (BASE, 1.0)):  # what is begun, after how long
        now[0] += seconds
        worker.hear(subject)
    assert worker.left(None) == worker.left(12.0) == processes._FOREVER  # the base is at work
    now[0] += 500
    worker.hear(LORA)
    now[0] += 0.5
    assert worker.left(12.0) == pytest.approx(12.0 - (7.0 + 2.0 + 1.0 + 0.5))


def test_two_workers_share_the_files(tmp_path):
    found = ended(workers(tmp_path, 2), tasks("slow1", "slow2", "slow3"))
    assert {o.status for o in found.values()} == {"complete"}
    assert len(set(pids(tmp_path).values())) == 2


def test_a_stop_lets_the_sample_in_flight_be_finished(tmp_path):
    pool, todo = workers(tmp_path), tasks("slow", "never")

    class Stops(Heard):
        def hear(self, call, arguments):
            super().hear(call, arguments)
            if self.rows == 2:
                pool.stop()

    found = ended(pool, todo, Stops())
    assert {name: o.status for name, o in found.items()} == {"slow": STOPPED}
    assert 2 <= len((tmp_path / "slow-1" / "samples").read_text()) < 5


def test_a_worker_that_cannot_begin_ends_the_run(tmp_path):
    pool = LocalWorkers([sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(UsageError, match="exit code 7"):
        ended(pool, tasks("a", "b", "c", "d"))


def test_a_worker_ends_with_its_driver(tmp_path):
    code = (
        f"import runpy; runpy.run_path({str(FAKE.parents[1] / 'conftest.py')!r})\n"
        "import sys; from pathlib import Path; from owf.core.batch.processes import LocalWorkers\n"
        "from owf.core.batch.task import Listener, Task\n"
        f"left = [Task(Path('hang.safetensors'), 'hang')]\n"
        f"list(LocalWorkers([sys.executable, {str(FAKE)!r}, {str(tmp_path)!r}]).run(lambda: left.pop(), Listener()))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code])
    for _ in range(600):
        if (tmp_path / "hang.tried").exists():
            break
        time.sleep(0.1)
    (pid,) = pids(tmp_path).values()
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its driver")
