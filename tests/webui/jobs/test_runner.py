"""One job at a time, in a process that ends when it is to end. No gradio, no model: the command line only pretends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from owf.webui.jobs import runner as runners
from owf.webui.jobs.job import CANCELLED, DONE, FAILED, RUNNING, WAITING, Command, Job
from owf.webui.jobs.runner import Busy, Runner, Turn

FAKES = Path(__file__).resolve().parents[1] / "fakes"
LONG = 60.0


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setattr(runners, "GRACE", 1.0)
    monkeypatch.setattr(runners, "_PATIENCE", 1.0)
    runner = Runner(Turn(), FAKES / "fake_child.py")
    yield runner
    runner.close()


def job_of(*habits: str, kind: str = "audit", **fields) -> Job:
    commands = [Command((kind, *habit.split()), ("lora",) if kind == "audit" else ()) for habit in habits]
    return Job(kind, "a job", tuple(commands), **fields)


def run(runner: Runner, job: Job) -> Job:
    runner.start(job, sys.executable)
    assert runner.wait(job, LONG)
    return job


def until(holds) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")


def read(mark: Path) -> list[int]:
    until(lambda: mark.exists() and mark.read_text())
    return [int(number) for number in mark.read_text().split()]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_verdict_is_a_job_that_is_done(runner):
    job = run(runner, job_of("good"))
    assert (job.state, job.exit_code, job.share, job.message) == (DONE, 1, 1.0, "")
    assert [(v.lora, v.decision, v.folder) for v in job.verdicts] == [("lora", "DRIFT", "/f")]


def test_one_of_several_loras_may_be_refused(runner):
    job = Job("audit", "two", (Command(("audit", "many"), ("a", "b")),))
    run(runner, job)
    assert (job.state, [v.decision for v in job.verdicts]) == (DONE, ["PASS", "INVALID"])


def test_commands_follow_one_another_and_each_must_end_well(runner):
    job = Job("audit", "two", tuple(Command(("audit", h), ("l",), s) for h, s in (("good", 0.5), ("fail", 1.0))))
    run(runner, job)
    assert (job.state, job.message) == (FAILED, "There is no base.")
    assert [v.strength for v in job.verdicts] == [0.5]


def test_a_training_keeps_its_curves(runner):
    job = run(runner, job_of("trained", kind="train"))
    assert (job.state, [s["step"] for s in job.steps], job.trained["steps"]) == (DONE, [1, 2], 2)


@pytest.mark.parametrize("habit", ["die", "babble", "lie", "silent", "fail"])
def test_what_left_no_result_is_no_good_job(runner, habit):
    job = run(runner, job_of(habit))
    assert job.state == FAILED and job.message and job.exit_code != 1
    assert "Traceback" not in job.message


def test_a_line_without_end_is_not_kept(runner):
    job = run(runner, job_of("flood"))
    assert job.state == DONE
    assert sum(map(len, job.log)) < 500_000


def test_a_second_job_is_refused_while_one_runs(runner, tmp_path):
    job = runner.start(job_of(f"hang {tmp_path / 'mark'}"), sys.executable)
    read(tmp_path / "mark")
    with pytest.raises(Busy) as refused:
        runner.start(job_of("good"), sys.executable)
    assert refused.value.job is job
    assert runner.cancel(job.id)
    assert runner.wait(job, LONG)
    assert run(runner, job_of("good")).state == DONE


def test_of_two_clients_at_once_one_gets_the_job(runner, tmp_path):
    started, refused, together = [], [], threading.Barrier(8)

    def client() -> None:
        together.wait()
        try:
            started.append(runner.start(job_of(f"hang {tmp_path / 'mark'}"), sys.executable))
        except Busy as busy:
            refused.append(busy)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(started), len(refused)) == (1, 7)
    runner.cancel(started[0].id)
    assert runner.wait(started[0], LONG)


def test_cancel_lets_the_command_end_by_itself(runner, tmp_path):
    job = runner.start(job_of(f"hang {tmp_path / 'mark'}"), sys.executable)
    (pid,) = read(tmp_path / "mark")
    runner.cancel(job.id)
    assert runner.wait(job, LONG)
    assert (job.state, job.exit_code) == (CANCELLED, 130)
    assert "interrupted" in job.log
    assert is_gone(pid)
    assert not runner.cancel(job.id)


def test_a_cancel_before_the_command_began_is_no_traceback(runner):
    for _ in range(3):  # it comes at another moment of the start each time
        job = runner.start(job_of("good"), sys.executable)
        until(lambda job=job: job.state != WAITING)
        runner.cancel(job.id)
        assert runner.wait(job, LONG)
        assert job.state in (CANCELLED, DONE)
        assert not any("Traceback" in line for line in job.log)


def test_what_takes_no_notice_is_killed_with_what_it_started(runner, tmp_path):
    job = runner.start(job_of(f"stubborn {tmp_path / 'mark'}"), sys.executable)
    pids = read(tmp_path / "mark")
    runner.cancel(job.id)
    assert runner.wait(job, LONG)
    assert job.state == CANCELLED
    until(lambda: all(map(is_gone, pids)))


def test_what_a_command_leaves_behind_is_killed(runner, tmp_path):
    job = run(runner, job_of(f"orphan {tmp_path / 'mark'}"))
    assert job.state == DONE
    until(lambda: all(map(is_gone, read(tmp_path / "mark"))))


def test_a_child_that_is_killed_from_outside_is_a_failure_that_says_so(runner, tmp_path):
    job = runner.start(job_of(f"hang {tmp_path / 'mark'}"), sys.executable)
    os.kill(read(tmp_path / "mark")[0], signal.SIGKILL)
    assert runner.wait(job, LONG)
    assert (job.state, job.message) == (FAILED, "The process was killed by signal 9 and left no result.")


def test_a_missing_python_is_a_sentence(runner):
    job = runner.start(job_of("good"), "/nowhere/python")
    assert runner.wait(job, LONG)
    assert (job.state, job.message) == (FAILED, "No such file or directory: /nowhere/python.")


def test_a_finish_that_fails_is_the_jobs_failure(runner):
    def finish(job: Job) -> None:
        raise PermissionError(13, "Permission denied", "/loras/a.safetensors")

    job = runner.start(job_of("good"), sys.executable, finish)
    assert runner.wait(job, LONG)
    assert (job.state, job.message) == (FAILED, "Permission denied: /loras/a.safetensors.")


class BusyHost(Turn):
    """A host that is at something of its own, and has a button to interrupt."""

    def __init__(self) -> None:
        self.lock, self.pressed, self.begun = threading.Lock(), False, []

    @contextlib.contextmanager
    def hold(self, job):
        with self.lock:
            self.begun.append(job.id)
            yield

    def interrupted(self):
        return self.pressed


@pytest.fixture
def host(runner):
    host = BusyHost()
    runner._turn = host
    return host


def test_a_job_waits_for_the_host_and_may_be_cancelled_meanwhile(runner, host):
    host.lock.acquire()
    job = runner.start(job_of("good"), sys.executable)
    assert job.state == WAITING
    runner.cancel(job.id)
    assert job.state == CANCELLED
    other = runner.start(job_of("good"), sys.executable)
    host.lock.release()
    assert runner.wait(other, LONG)
    assert (job.state, job.exit_code, other.state) == (CANCELLED, None, DONE)


def test_the_hosts_own_button_ends_a_job(runner, host, tmp_path):
    job = runner.start(job_of(f"hang {tmp_path / 'mark'}"), sys.executable)
    read(tmp_path / "mark")
    assert job.state == RUNNING
    host.pressed = True
    assert runner.wait(job, LONG)
    assert job.state == CANCELLED


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_and_its_children_end_with_the_host(tmp_path, number):
    host = subprocess.Popen([sys.executable, str(FAKES / "host_with_a_job.py"), str(tmp_path / "mark")])
    pids = read(tmp_path / "mark")
    host.send_signal(number)
    host.wait(LONG)
    until(lambda: all(map(is_gone, pids)))
