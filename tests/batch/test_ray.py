"""A Ray cluster of this machine: its ledger is the one that processes make, also when an actor is killed."""

import dataclasses
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_ray import FakeRay
from owf.cli.audit import main
from owf.core.batch import ray_workers
from owf.core.batch.ray_workers import RayWorkers
from owf.core.batch.task import DIED, STOPPED, Listener, Task
from owf.core.errors import Setting, UsageError
from owf.core.ledger.ledger import Ledger

RUN = Path(__file__).parents[1] / "support" / "run_ray.py"
FAKE = RUN.with_name("fake_worker.py")
ROOT = Path(__file__).resolve().parents[2]


def ran(folder, *arguments):
    """Run the driver; what its actors import is found by PYTHONPATH, as where the package is installed."""
    (folder / "loras").mkdir(parents=True)
    for i in range(9):
        (folder / "loras" / f"{i:02}-{('a', 'slow', 'bad')[i % 3]}").write_text(str(i))
    (folder / "path").mkdir()
    (folder / "path" / "owf").symlink_to(ROOT)
    found = os.pathsep.join([str(folder / "path"), str(RUN.parent)])
    environment = {**os.environ, "PYTHONPATH": found, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, str(RUN), str(folder), *map(str, arguments)]
    subprocess.run(command, env=environment, check=True, timeout=280)
    with Ledger(folder / "out" / "ledger.sqlite", writes=False) as ledger:
        rows = sorted(ledger.rows(), key=lambda row: row.name)
    return [dataclasses.replace(row, attempts=1, path="") for row in rows], max(row.attempts for row in rows)


@pytest.fixture
def cluster(monkeypatch):
    def begin(**settings):
        ray = FakeRay(**settings)
        monkeypatch.setattr(ray_workers, "_imported", lambda: ray)
        return ray

    return begin


def place(out):
    return functools.partial(list, [sys.executable, str(FAKE), str(out)])


def ended(pool, *names):
    left = [Task(Path(f"{name}.safetensors"), name) for name in names]
    return {task.name: o for task, o in pool.run(lambda: left.pop(0) if left else None, Listener())}


def test_each_actor_has_one_process_for_all_its_files(cluster, tmp_path):
    ray = cluster()
    found = ended(RayWorkers("auto", place(tmp_path), 1), "a", "bad", "b")
    assert {name: o.status for name, o in found.items()} == {"a": "complete", "bad": "refused", "b": "complete"}
    assert found["a"].report.verdict.decision == "DRIFT"
    assert len({line.split()[2] for line in (tmp_path / "log").read_text().splitlines()}) == 1
    assert (len(ray.made), ray.address, ray.killed) == (1, "auto", ray.made)


def test_a_process_that_dies_leaves_its_actor_and_an_actor_that_dies_is_replaced(cluster, tmp_path):
    ray = cluster(dies=[2, None])
    found = ended(RayWorkers("auto", place(tmp_path), 1), "die-always", "a", "lost", "b")
    assert {name: o.status for name, o in found.items()} == {
        "die-always": DIED, "a": "complete", "lost": DIED, "b": "complete",
    }  # fmt: skip
    assert "SIGKILL" in found["die-always"].reason and "the actor died" in found["lost"].reason
    assert len(ray.made) == 2 and ray.killed == ray.made


def test_actors_get_a_gpu_each_where_there_are_some_and_ray_retries_nothing(cluster):
    for gpus, given, expected in ((0.0, None, 0.0), (8.0, None, 1.0), (8.0, 0.25, 0.25)):
        ray = cluster(gpus=gpus)
        RayWorkers("auto", list, 1, gpus=given)
        assert ray.options["num_gpus"] == expected
        assert (ray.options["max_restarts"], ray.options["max_task_retries"]) == (0, 0)


def test_a_stop_puts_tasks_down_and_begins_none(cluster, tmp_path):
    ray = cluster()
    pool = RayWorkers("auto", place(tmp_path), 2)
    left = [Task(Path(f"slow{i}.safetensors"), f"slow{i}") for i in range(9)]
    pool_run = pool.run(lambda: left.pop() if left else None, Listener())
    _, outcome = next(pool_run)
    pool.stop()
    rest = dict(pool_run)
    assert outcome.status == "complete" and {o.status for o in rest.values()} <= {STOPPED, "complete"}
    assert 1 + len(rest) + len(left) == 9 and len(left) >= 6
    assert len(ray.made) == 2


def test_actors_that_cannot_begin_end_the_run(cluster):
    cluster()
    with pytest.raises(UsageError, match="exit code 7"):
        ended(RayWorkers("auto", functools.partial(list, [sys.executable, "-c", "raise SystemExit(7)"])), *"abcd")


@pytest.mark.slow
def test_two_actors_make_the_ledger_that_one_makes_and_one_may_be_killed(tmp_path):
    pytest.importorskip("ray", reason="could not import 'ray'")
    (one, tries), (two, _) = ran(tmp_path / "one", 1), ran(tmp_path / "two", 2)
    (killed, again) = ran(tmp_path / "killed", 2, "kill")
    assert one == two == killed and len(one) == 9
    assert (tries, again) == (1, 2)


def test_without_ray_it_is_said_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as caught:
        RayWorkers("local", list)
    assert caught.value.settings == (Setting("install", "'owf[ray]'"),)
    for name in "ab":
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--ray", "auto", "--cache", str(tmp_path / "c")]) == 2
    assert "owf[ray]" in capsys.readouterr().err
